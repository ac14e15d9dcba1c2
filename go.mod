module github.com/smoothkit/smoothkit

go 1.25.0

require (
	github.com/Eyevinn/mp4ff v0.56.0
	github.com/asticode/go-astits v1.15.0
	github.com/grafov/m3u8 v0.12.1
	github.com/redis/go-redis/v9 v9.22.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.47.0
)

require (
	github.com/asticode/go-astikit v0.30.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
