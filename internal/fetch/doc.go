// Package fetch sends the requests of validators. It reads whole bodies within bounds and names what usually stands
// behind an answer that is not the one asked for.
package fetch
