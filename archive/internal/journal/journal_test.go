package journal_test

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/smooth"
)

// records are one of each kind.
var records = []any{
	&journal.File{
		Number: 3, Name: "enc1.ismv", Input: "enc1", Header: 900, Sum: 7,
		Tracks: []journal.Track{{
			ID: 2, Key: smooth.FragmentKey{Stream: "video", Bitrate: 400000, Attrs: "a=b"},
			Stream: &smooth.Stream{Type: smooth.Video, Name: "video", Extra: []smooth.Attribute{{Name: "x", Value: "<y>"}}},
			Level:  &smooth.QualityLevel{Bitrate: 400000, CodecPrivateData: []byte{0, 1, 2}},
			Codec:  &smooth.Codec{Type: smooth.Video, SampleEntry: []byte("avc1")},
		}},
	},
	&journal.Fragment{File: 3, Track: 2, Time: 160e15, Duration: 20000000, Offset: 5 << 32, Head: 700, Payload: 1 << 20, Sum: 0xdeadbeef},
	journal.Mark{{File: 3, Size: 6 << 32}, {File: 4, Size: 0}},
	smooth.Gap{Stream: "vidéo", Time: 1, Duration: math.MaxUint64},
	journal.Cut{File: 65535, Size: math.MaxInt64},
}

func encode(t testing.TB, recs ...any) []byte {
	var b []byte
	for _, rec := range recs {
		switch r := rec.(type) {
		case *journal.File:
			var err error
			b, err = journal.AppendFile(b, r)
			require.NoError(t, err)
		case *journal.Fragment:
			b = journal.AppendFragment(b, r)
		case journal.Mark:
			b = journal.AppendMark(b, r)
		case journal.Cut:
			b = journal.AppendCut(b, r)
		case smooth.Gap:
			b = journal.AppendGap(b, r)
		}
	}
	return b
}

func decode(t testing.TB, b []byte) (recs []any, offset int64) {
	r := journal.NewReader(bytes.NewReader(b))
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return recs, r.Offset()
		}
		require.NoError(t, err)
		recs = append(recs, rec)
	}
}

func TestRecords(t *testing.T) {
	b := encode(t, records...)
	got, n := decode(t, b)
	assert.Equal(t, records, got)
	assert.EqualValues(t, len(b), n)
	assert.Len(t, encode(t, records[1]), 51)
}

// TestTorn cuts a journal at every byte, and damages each: what is whole before that is read.
func TestTorn(t *testing.T) {
	b := encode(t, records...)
	ends := []int64{0}
	for i := range records {
		ends = append(ends, int64(len(encode(t, records[:i+1]...))))
	}
	for i := range b {
		whole := 0
		for whole+1 < len(ends) && ends[whole+1] <= int64(i) {
			whole++
		}
		got, n := decode(t, b[:i])
		require.Len(t, got, whole, "cut at %d", i)
		require.Equal(t, ends[whole], n)
		damaged := bytes.Clone(b)
		damaged[i] ^= 0x10
		got, n = decode(t, damaged)
		require.Len(t, got, whole, "damaged at %d", i)
		require.Equal(t, ends[whole], n)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := journal.AppendFile(nil, &journal.File{Name: string(bytes.Repeat([]byte("x"), journal.MaxRecord))})
	require.ErrorIs(t, err, journal.ErrRecord)
	got, n := decode(t, append(encode(t, records[1]), 0xff, 0xff, 0xff, 0xff, 'f'))
	assert.Len(t, got, 1)
	assert.EqualValues(t, 51, n)
}

func FuzzReader(f *testing.F) {
	f.Add(encode(f, records...))
	for _, rec := range records {
		f.Add(encode(f, rec))
	}
	f.Add([]byte{0, 0x3f, 0xff, 0xff, 'f'})
	f.Fuzz(func(t *testing.T, b []byte) {
		recs, n := decode(t, b)
		require.LessOrEqual(t, n, int64(len(b)))
		again, _ := decode(t, encode(t, recs...))
		require.Equal(t, len(recs), len(again))
	})
}
