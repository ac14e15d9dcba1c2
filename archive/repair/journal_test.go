package repair_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/journal"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const segment = "live/demo-isml/20260702T120000Z/1/"

// recording returns a segment as a crash of this suite leaves it: media without index, a journal, no client manifest. damage changes
// the media behind the last mark, which is after half of the fragments.
func recording(t testing.TB, damage func(b []byte, fragments []int64) []byte) *lossy.Store {
	t.Helper()
	s := lossy.New()
	st := smoothtest.Stream{Type: smooth.Video, Name: "cam", Start: 3e9, Levels: []smoothtest.Level{{Bitrate: 700_000}}}
	e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{st}})
	head := e.Header()
	b := append([]byte(nil), head...)
	b = append(b, e.Until(secondsOf(16))...)
	m := smoothtest.New(smoothtest.Config{Streams: []smoothtest.Stream{st}})
	snap, err := m.Snapshot(t.Context())
	require.NoError(t, err)
	stream, level := *snap.Manifest.Streams[0], snap.Manifest.Streams[0].Levels[0]
	stream.Timeline = nil
	j, err := journal.AppendFile(nil, &journal.File{Number: 0, Name: "enc.ismv", Input: "enc", Header: int64(len(head)), Sum: journal.Sum(0, head),
		Tracks: []journal.Track{{ID: 1, Key: smooth.FragmentKey{Stream: "cam", Bitrate: 700_000}, Stream: &stream, Level: level, Codec: snap.Periods[0].Tracks[0].Codec}}})
	require.NoError(t, err)
	list, end := moofs(t, b)
	for i, off := range list {
		to := end
		if i+1 < len(list) {
			to = list[i+1]
		}
		f := b[off:to]
		size := uint32(f[0])<<24 | uint32(f[1])<<16 | uint32(f[2])<<8 | uint32(f[3])
		j = journal.AppendFragment(j, &journal.Fragment{Track: 1, Time: 3e9 + uint64(i)*2e7, Duration: 2e7, Offset: off,
			Head: size + 8, Payload: uint32(len(f)) - size - 8, Sum: journal.Sum(0, f)})
		if i == len(list)/2 {
			j = journal.AppendMark(j, journal.Mark{{File: 0, Size: off}})
		}
	}
	if damage != nil {
		b = damage(b, list)
	}
	put(t, s, segment+"enc.ismv", b)
	put(t, s, segment+"demo.journal", append(j, 0, 0, 0))
	return s
}

func TestRecording(t *testing.T) {
	s := recording(t, nil)
	kept := get(t, s, segment+"demo.journal")
	a := mend(t, s)
	require.Equal(t, segment+"demo.ism", a.Name)
	require.True(t, a.Has(repair.JournalLeft))
	m := manifestOf(t, s, a.Name)
	require.Equal(t, "cam", m.Streams[0].Name)
	require.EqualValues(t, 700_000, m.Streams[0].Levels[0].Bitrate)
	require.Len(t, m.Streams[0].Timeline, 8)
	require.False(t, exists(s, segment+"demo.journal"))
	require.Equal(t, kept, get(t, s, segment+"demo.journal.before"))
}

// TestRecordingSums: the journal tells what nothing else can, that bytes did not come to the disk.
func TestRecordingSums(t *testing.T) {
	t.Run("last", func(t *testing.T) {
		s := recording(t, func(b []byte, list []int64) []byte {
			b[len(b)-1] ^= 1
			return b
		})
		a := mend(t, s)
		require.True(t, a.Has(repair.TornTail), "%+v", a)
		require.Len(t, manifestOf(t, s, a.Name).Streams[0].Timeline, 7)
	})
	t.Run("in the middle", func(t *testing.T) {
		s := recording(t, func(b []byte, list []int64) []byte {
			b[list[6]-1] ^= 1
			return b
		})
		a := mend(t, s)
		require.True(t, a.Has(repair.SumWrong) && a.Has(repair.Gap), "%+v", a)
		m := manifestOf(t, s, a.Name)
		require.Len(t, m.Streams[0].Timeline, 7)
		require.EqualValues(t, 700_000, m.Streams[0].Levels[0].Bitrate)
		require.True(t, exists(s, segment+"enc.repaired.ismv"))
	})
	t.Run("before the mark", func(t *testing.T) {
		s := recording(t, func(b []byte, list []int64) []byte {
			b[list[2]-1] ^= 1 // which was seen to be there once
			return b
		})
		require.False(t, mend(t, s).Has(repair.SumWrong))
	})
}
