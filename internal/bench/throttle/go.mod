module github.com/smoothkit/smoothkit/internal/bench/throttle

go 1.25.0

replace github.com/smoothkit/smoothkit => ../../..

require (
	github.com/juju/ratelimit v1.0.2
	github.com/smoothkit/smoothkit v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.47.0
	golang.org/x/time v0.9.0
)

require gopkg.in/check.v1 v1.0.0-20201130134442-10cb98267c6c // indirect
