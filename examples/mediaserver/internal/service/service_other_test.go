//go:build !windows

package service

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNoService(t *testing.T) {
	ran, err := Run("m", func(context.Context) error { panic("not to be run") }, nil)
	assert.False(t, ran)
	assert.NoError(t, err)
	assert.ErrorIs(t, Install("m", "x", nil), errors.ErrUnsupported)
	assert.ErrorIs(t, Remove("m"), ErrUnsupported)
	handled, err := Command("m", []string{"service", "install"})
	assert.True(t, handled)
	assert.ErrorIs(t, err, ErrUnsupported)
	_, err = OpenLog("m", nil)
	assert.ErrorIs(t, err, ErrUnsupported)
}
