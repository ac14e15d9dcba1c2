module github.com/smoothkit/smoothkit

go 1.25
