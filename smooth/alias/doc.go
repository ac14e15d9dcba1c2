// Package alias lets old links live on: it rewrites and redirects paths of requests, by rules of a map file.
package alias
