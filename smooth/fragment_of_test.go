package smooth_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// fragmentForms returns fragments of the same bytes in every form.
func fragmentForms(t *testing.T, head, payload string) map[string]*smooth.Fragment {
	t.Helper()
	name := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(name, []byte("xxx"+payload), 0o666))
	file, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	forms := map[string]*smooth.Fragment{}
	for form, in := range map[string]smooth.FragmentInit{
		"memory":  {Memory: []byte(head + payload), HeadLen: len(head)},
		"payload": {Head: []byte(head), Payload: []byte(payload)},
		"reader":  {Head: []byte(head), Body: strings.NewReader("xxx" + payload), Offset: 3, Size: int64(len(payload))},
		"file":    {Head: []byte(head), Body: file, Offset: 3, Size: int64(len(payload))},
	} {
		forms[form] = smooth.NewFragment(in)
	}
	return forms
}

// requireFragment expects head and payload in all ways to read a fragment.
func requireFragment(t *testing.T, f *smooth.Fragment, head, payload string) {
	t.Helper()
	require.EqualValues(t, len(payload), f.PayloadSize())
	require.EqualValues(t, len(head+payload), f.Size())
	got, err := f.Header(smooth.Smooth)
	require.NoError(t, err)
	require.Equal(t, head, string(got))
	var whole, part bytes.Buffer
	n, err := f.WriteTo(&whole)
	require.NoError(t, err)
	require.Equal(t, f.Size(), n)
	require.Equal(t, head+payload, whole.String())
	_, err = f.WritePayloadPart(&part, 2, 3)
	require.NoError(t, err)
	require.Equal(t, payload[2:5], part.String())
	loaded, err := f.Load(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, payload, string(loaded))
	all, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	require.NoError(t, err)
	require.Equal(t, head+payload, string(all))
	_, err = f.ReadPayloadAt(make([]byte, 2), f.PayloadSize())
	require.Equal(t, io.EOF, err)
	_, err = f.WritePayloadPart(io.Discard, 1, f.PayloadSize())
	require.Error(t, err)
	lent, err := f.Borrow(func(at func(int64, int) []byte) error {
		assert.Equal(t, payload[3:5], string(at(3, 2)))
		return io.ErrNoProgress
	})
	if lent {
		require.Equal(t, io.ErrNoProgress, err)
	} else {
		require.NoError(t, err)
	}
}

const testHead, testPayload = "\x00\x00\x00\x08moof\x00\x00\x00\x12mdat", "0123456789"

// TestFragmentMadeOf reads the same bytes whatever a fragment is made of.
func TestFragmentMadeOf(t *testing.T) {
	for form, f := range fragmentForms(t, testHead, testPayload) {
		t.Run(form, func(t *testing.T) { requireFragment(t, f, testHead, testPayload) })
	}
}

// TestFragmentPayload: sample data that does not follow the head in memory is neither copied nor read.
func TestFragmentPayload(t *testing.T) {
	payload := []byte(testPayload)
	f := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Payload: payload, Early: true})
	assert.True(t, f.Early)
	loaded, err := f.Load(t.Context(), nil)
	require.NoError(t, err)
	assert.Same(t, &payload[0], &loaded[0])
	empty := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Payload: []byte{}})
	assert.EqualValues(t, len(testHead), empty.Size())
	var b bytes.Buffer
	_, err = empty.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, testHead, b.String())
}

// TestFragmentOf puts another head before the sample data of fragments of every form, and of ones made so themselves.
func TestFragmentOf(t *testing.T) {
	const head = "\x00\x00\x00\x10moof\x00\x00\x00\x08free\x00\x00\x00\x12mdat"
	for form, of := range fragmentForms(t, testHead, testPayload) {
		t.Run(form, func(t *testing.T) {
			of.Retain() // for the test
			key := smooth.FragmentKey{Stream: "video", Time: 7}
			f := smooth.NewFragment(smooth.FragmentInit{Key: key, Timescale: 5, Duration: 6, Head: []byte(head), Of: of})
			assert.Equal(t, key, f.Key)
			requireFragment(t, f, head, testPayload)
			twice := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Of: f})
			requireFragment(t, twice, testHead, testPayload)
			require.NoError(t, twice.Close())
			requireFragment(t, of, testHead, testPayload)
		})
	}
}

// TestFragmentOfCloses: the fragment that has the sample data is closed once, after the last user and the release.
func TestFragmentOfCloses(t *testing.T) {
	var calls []string
	of := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Payload: []byte(testPayload), Release: func() { calls = append(calls, "of") }})
	f := smooth.NewFragment(smooth.FragmentInit{Head: []byte(testHead), Of: of, Release: func() { calls = append(calls, "own") }})
	f.Retain()
	require.NoError(t, f.Close())
	assert.Empty(t, calls)
	require.NoError(t, f.Close())
	assert.Equal(t, []string{"own", "of"}, calls)
}

// kernelWriter notes what would be sent by the kernel.
type kernelWriter struct {
	bytes.Buffer
	sent []int64
}

func (w *kernelWriter) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok {
			w.sent = append(w.sent, limited.N)
		}
	}
	return w.Buffer.ReadFrom(r)
}

// TestFragmentOfFile: a file is sent by the kernel also with another head.
func TestFragmentOfFile(t *testing.T) {
	of := fragmentForms(t, testHead, testPayload)["file"]
	for range 2 {
		of.Retain()
		f := smooth.NewFragment(smooth.FragmentInit{Head: []byte("head"), Of: of})
		var w kernelWriter
		_, err := f.WriteTo(&w)
		require.NoError(t, err)
		assert.Equal(t, "head"+testPayload, w.String())
		assert.Equal(t, []int64{int64(len(testPayload))}, w.sent)
		require.NoError(t, f.Close())
	}
}

// TestFragmentOfSample does it with fragments of a file source, in memory and in a file.
func TestFragmentOfSample(t *testing.T) {
	_, p := openSampleCopy(t)
	large := fragmentInFile(t, p)
	small := firstAudio(t, p)
	for _, of := range []*smooth.Fragment{large, small} {
		want, err := of.Load(t.Context(), nil)
		require.NoError(t, err)
		want = bytes.Clone(want)
		f := smooth.NewFragment(smooth.FragmentInit{Key: of.Key, Head: []byte(testHead), Of: of})
		lent, err := f.Borrow(func(at func(int64, int) []byte) error {
			assert.Equal(t, want, at(0, len(want)))
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, lendsFiles || of == small, lent)
		var w kernelWriter
		_, err = f.WriteTo(&w)
		require.NoError(t, err)
		assert.Equal(t, testHead+string(want), w.String())
		assert.Equal(t, of == large, len(w.sent) == 1)
		require.NoError(t, f.Close())
	}
}

// firstAudio returns the first fragment of the first stream of sound.
func firstAudio(t *testing.T, p smooth.Presentation) *smooth.Fragment {
	t.Helper()
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	for _, s := range snap.Manifest.Streams {
		if s.Type == smooth.Audio {
			f, err := p.Fragment(t.Context(), smooth.FragmentKey{Stream: s.Name, Bitrate: s.Levels[0].Bitrate, Time: s.Timeline.Start()})
			require.NoError(t, err)
			return f
		}
	}
	require.Fail(t, "no sound")
	return nil
}
