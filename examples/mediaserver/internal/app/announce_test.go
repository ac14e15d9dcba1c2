package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestClientAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", "[::]:80": "localhost:80", "0.0.0.0:1": "localhost:1", "[::1]:2": "[::1]:2",
	} {
		assert.Equal(t, want, clientAddress(addr))
	}
}
