package archive_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestFile: a recording tells the file of an input stream, as it is on the disk.
func TestFile(t *testing.T) {
	store := lossy.New()
	a, err := newArchive(t, store)
	require.NoError(t, err)
	f := newFeed(t, "radio <1>", smoothtest.Config{MaxPayload: 600, Streams: []smoothtest.Stream{{Type: smooth.Audio, Levels: []smoothtest.Level{{Bitrate: 64_000}}}}})
	r := f.begin(a)
	filer := r.(interface{ File(input string) string })
	assert.Empty(t, filer.File(f.input.ID), "nothing has come yet")
	f.record(r, 10*time.Second)
	name := filer.File(f.input.ID)
	assert.Equal(t, "radio__1_.isma", name)
	assert.Empty(t, filer.File("other"))
	_, err = store.Stat(t.Context(), "live/demo-isml/20260702T120000Z/1/"+name)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context(), true))
}
