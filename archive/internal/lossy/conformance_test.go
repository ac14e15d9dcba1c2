package lossy_test

import (
	"testing"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/internal/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) archive.Store { return lossy.New() })
}
