// Package bench holds the benchmarks that need large files or peers; BENCHMARKS.md has their figures and commands.
package bench
