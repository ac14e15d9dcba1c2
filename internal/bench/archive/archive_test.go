package main

import (
	"bytes"
	"io"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/repair"
)

// small is the event of the measurements, of less bytes.
func small(inputs int) shape {
	s := eight(inputs)
	s.payload = 3000
	return s
}

// TestRecorded compares what is served of a recording with what it was fed: the benchmark measures what it says.
func TestRecorded(t *testing.T) {
	for _, inputs := range []int{1, 8} {
		f, err := newFeed(small(inputs))
		require.NoError(t, err)
		require.Len(t, f.inputs, inputs)
		require.Len(t, f.tracks, 8)
		a, err := open(t.TempDir())
		require.NoError(t, err)
		defer func() { require.NoError(t, a.Close()) }()
		r, err := f.begin(a)
		require.NoError(t, err)
		const n = 2*perTrack + 3
		require.NoError(t, f.push(r, 0, n, nil))
		require.NoError(t, r.Close(t.Context(), true))
		p, err := a.Open(t.Context(), path.Join(eventDir, "bench.ism"))
		require.NoError(t, err)
		defer p.Close()
		for _, tr := range f.tracks {
			for i := range n {
				k := tr.in.Key
				k.Time = f.at(i)
				frag, err := p.Fragment(t.Context(), k)
				require.NoError(t, err)
				got, err := frag.Load(t.Context(), nil)
				require.NoError(t, err)
				_, want, err := f.head(tr, i)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(want, got), "%+v", k)
				require.NoError(t, frag.Close())
			}
		}
	}
}

// TestSizes compares what an event of a number of fragments is said to have with what is written.
func TestSizes(t *testing.T) {
	f, err := newFeed(small(1))
	require.NoError(t, err)
	var b bytes.Buffer
	total := int64(0)
	for i := range 3 {
		total += f.size(i)
		for _, tr := range f.tracks {
			frag, err := f.fragment(tr, i)
			require.NoError(t, err)
			_, err = frag.WriteTo(&b)
			require.NoError(t, err)
			require.NoError(t, frag.Close())
		}
	}
	assert.EqualValues(t, b.Len(), total)
	assert.Equal(t, 3, f.count(total))
	assert.Equal(t, 4, f.count(total+1))
}

// TestSparse repairs what mode repair makes, and looks at the count of what is read.
func TestSparse(t *testing.T) {
	f, err := newFeed(small(1))
	require.NoError(t, err)
	root := t.TempDir()
	size, err := sparseEvent(f, filepath.Join(root, eventDir, "1"), 10)
	require.NoError(t, err)
	store, err := archive.Dir(root)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	s := &counted{Store: store}
	report, err := repair.Repair(t.Context(), s, ".", nil)
	require.NoError(t, err)
	require.Len(t, report.Assets, 1)
	assert.True(t, report.Assets[0].Plays, report.Assets[0].Problem)
	assert.Positive(t, s.written.Load())
	before := s.read.Load()
	file, err := s.Open(t.Context(), path.Join(eventDir, "1", "input1.ismv"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, file.Size(), size)
	n, err := file.ReadAtContext(t.Context(), make([]byte, 100), 0)
	require.True(t, err == nil || err == io.EOF)
	assert.EqualValues(t, 100, n)
	assert.Equal(t, before+100, s.read.Load())
	require.NoError(t, file.Close())
}
