package repair_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// noise is deterministic garbage.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// fault breaks the sample presentation.
type fault struct {
	name  string
	spoil func(t *testing.T, s *lossy.Store)
	// codes are found, as faults; notes as notes.
	codes, notes []string
	// chunks that each video level has afterwards; zero means all 16.
	chunks int
}

// change rewrites a file.
func change(name string, edit func(t *testing.T, b []byte) []byte) func(*testing.T, *lossy.Store) {
	return func(t *testing.T, s *lossy.Store) { put(t, s, name, edit(t, get(t, s, name))) }
}

// remove removes files.
func remove(names ...string) func(*testing.T, *lossy.Store) {
	return func(t *testing.T, s *lossy.Store) {
		for _, name := range names {
			require.NoError(t, s.Remove(t.Context(), name))
		}
	}
}

// both does one after the other.
func both(list ...func(*testing.T, *lossy.Store)) func(*testing.T, *lossy.Store) {
	return func(t *testing.T, s *lossy.Store) {
		for _, f := range list {
			f(t, s)
		}
	}
}

// behind replaces what follows the last fragment of the high level by something else.
func behind(tail func(t *testing.T, b []byte) []byte) func(*testing.T, *lossy.Store) {
	return change(sampleHigh, func(t *testing.T, b []byte) []byte { return append(withoutIndex(t, b), tail(t, b)...) })
}

// lastFragment returns the last fragment of a file.
func lastFragment(t testing.TB, b []byte) []byte {
	list, end := moofs(t, b)
	return bytes.Clone(b[list[len(list)-1]:end])
}

var faults = []fault{
	{name: "empty ism", spoil: change(sampleISM, func(*testing.T, []byte) []byte { return nil }), codes: []string{repair.IsmEmpty}},
	{name: "empty ismc", spoil: change(sampleISMC, func(*testing.T, []byte) []byte { return nil }), codes: []string{repair.IsmcEmpty}},
	{name: "both empty", spoil: both(change(sampleISM, func(*testing.T, []byte) []byte { return nil }), change(sampleISMC, func(*testing.T, []byte) []byte { return nil })),
		codes: []string{repair.IsmEmpty, repair.IsmcEmpty}},
	{name: "no ism", spoil: remove(sampleISM), codes: []string{repair.IsmMissing}},
	{name: "no ismc", spoil: remove(sampleISMC), codes: []string{repair.IsmcMissing}},
	{name: "no manifests", spoil: remove(sampleISM, sampleISMC), codes: []string{repair.IsmMissing, repair.IsmcMissing}},
	{name: "broken ism", spoil: change(sampleISM, func(_ *testing.T, b []byte) []byte { return b[:len(b)/2] }), codes: []string{repair.IsmBroken}},
	{name: "ism of zeros", spoil: change(sampleISM, func(_ *testing.T, b []byte) []byte { return make([]byte, len(b)) }), codes: []string{repair.IsmBroken}},
	{name: "broken ismc", spoil: change(sampleISMC, func(_ *testing.T, b []byte) []byte { return b[:len(b)/2] }), codes: []string{repair.IsmcStale}},
	{name: "ism names a file that does not exist", spoil: change(sampleISM, func(_ *testing.T, b []byte) []byte {
		return bytes.Replace(b, []byte("</switch>"), []byte(`<video src="gone.ismv" systemBitrate="9"><param name="trackID" value="1"/></video></switch>`), 1)
	}), codes: []string{repair.IsmFile}},
	{name: "ism names a track that does not exist", spoil: change(sampleISM, func(_ *testing.T, b []byte) []byte {
		return bytes.Replace(b, []byte("</switch>"), []byte(`<textstream src="sample_75.ismv" systemBitrate="9"><param name="trackID" value="1"/></textstream></switch>`), 1)
	}), codes: []string{repair.IsmTrack}},
	{name: "ism lacks a level", spoil: change(sampleISM, func(t *testing.T, b []byte) []byte {
		from := bytes.Index(b, []byte("<video src=\"sample_138"))
		require.Positive(t, from)
		to := bytes.Index(b[from:], []byte("</video>"))
		return append(b[:from:from], b[from+to+len("</video>"):]...)
	}), codes: []string{repair.IsmLacks}},
	{name: "ism names all but in other case", spoil: change(sampleISM, func(_ *testing.T, b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("sample_138.ismv"), []byte("SAMPLE_138.ISMV"))
	})},
	{name: "stale ismc with too much", spoil: change(sampleISMC, func(_ *testing.T, b []byte) []byte {
		return bytes.Replace(b, []byte(`<c d="20000000" r="16"/>`), []byte(`<c d="20000000" r="17"/>`), 1)
	}), codes: []string{repair.IsmcStale}},
	{name: "stale ismc with too little", spoil: change(sampleISMC, func(_ *testing.T, b []byte) []byte {
		return bytes.Replace(b, []byte(`<c d="20000000" r="16"/>`), []byte(`<c d="20000000" r="9"/>`), 1)
	}), codes: []string{repair.IsmcStale}},
	{name: "live ismc", spoil: change(sampleISMC, func(_ *testing.T, b []byte) []byte {
		return bytes.Replace(b, []byte(`MajorVersion`), []byte(`IsLive="TRUE" LookAheadFragmentCount="2" MajorVersion`), 1)
	}), codes: []string{repair.IsmcStale}},
	{name: "no mfra", spoil: behind(func(*testing.T, []byte) []byte { return nil }), codes: []string{repair.MfraMissing}},
	{name: "mfra that marks the end of a stream", spoil: behind(func(*testing.T, []byte) []byte { return []byte("\x00\x00\x00\x08mfra") }),
		codes: []string{repair.MfraBroken}},
	{name: "mfro with a wrong size", spoil: change(sampleHigh, func(_ *testing.T, b []byte) []byte {
		binary.BigEndian.PutUint32(b[len(b)-4:], 77)
		return b
	}), codes: []string{repair.MfraBroken}},
	{name: "mfra of a shorter file", spoil: behind(func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		return fmp4.AppendMfra(nil, []uint32{1}, [][]fmp4.TfraEntry{{{Time: 0, Moof: uint64(list[0])}, {Time: 20000000, Moof: uint64(list[1])}}})
	}), codes: []string{repair.MfraWrong}},
	{name: "mfra with wrong offsets", spoil: behind(func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		var entries []fmp4.TfraEntry
		for i, off := range list {
			entries = append(entries, fmp4.TfraEntry{Time: uint64(i) * 2e7, Moof: uint64(off) + uint64(i)})
		}
		return fmp4.AppendMfra(nil, []uint32{1}, [][]fmp4.TfraEntry{entries})
	}), codes: []string{repair.MfraWrong}},
	{name: "mfra in the middle", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		old := fmp4.AppendMfra(nil, []uint32{1}, [][]fmp4.TfraEntry{{{Time: 0, Moof: uint64(list[0])}}})
		return append(append(b[:list[3]:list[3]], old...), withoutIndex(t, b)[list[3]:]...)
	}), codes: []string{repair.MfraMissing}},
	{name: "torn mfra", spoil: change(sampleHigh, func(_ *testing.T, b []byte) []byte { return b[:len(b)-9] }), codes: []string{repair.MfraBroken}},
	{name: "torn moof", spoil: behind(func(t *testing.T, b []byte) []byte { return lastFragment(t, b)[:100] }), codes: []string{repair.TornTail, repair.MfraMissing}},
	{name: "header of moof only", spoil: behind(func(t *testing.T, b []byte) []byte { return lastFragment(t, b)[:5] }), codes: []string{repair.TornTail}},
	{name: "torn mdat", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		b = withoutIndex(t, b)
		return b[:len(b)-1000]
	}), codes: []string{repair.TornTail}, chunks: 15},
	{name: "header of mdat only", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		last := list[len(list)-1]
		return b[:last+int64(binary.BigEndian.Uint32(b[last:]))+8]
	}), codes: []string{repair.TornTail}, chunks: 15},
	{name: "mdat that is shorter than its samples", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		end := list[len(list)-1] + int64(binary.BigEndian.Uint32(b[list[len(list)-1]:]))
		return append(b[:end:end], "\x00\x00\x00\x08mdat"...)
	}), codes: []string{repair.TornTail}, chunks: 15},
	{name: "mdat without a size", spoil: behind(func(t *testing.T, b []byte) []byte {
		f := lastFragment(t, b)
		binary.BigEndian.PutUint32(f[binary.BigEndian.Uint32(f):], 0)
		return f
	}), codes: []string{repair.TornTail}},
	{name: "zeros at the end", spoil: behind(func(*testing.T, []byte) []byte { return make([]byte, 5000) }), codes: []string{repair.ZeroTail}},
	{name: "zeros behind the index", spoil: change(sampleHigh, func(_ *testing.T, b []byte) []byte { return append(b, make([]byte, 12)...) }),
		codes: []string{repair.ZeroTail}},
	{name: "garbage at the end", spoil: behind(func(*testing.T, []byte) []byte { return noise(70_000) }), codes: []string{repair.TornTail}},
	{name: "a fragment in zeros", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, end := moofs(t, b)
		clear(b[list[15]+2000 : end])
		return append(b[:end:end], make([]byte, 3000)...)
	}), codes: []string{repair.TornTail}, chunks: 15},
	{name: "hole", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		clear(b[list[7]-100 : list[7]+600]) // the end of a payload and a moof
		return b
	}), codes: []string{repair.Hole}, notes: []string{repair.LevelLacks}},
	{name: "bytes lost", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		return append(b[:list[9]+1000:list[9]+1000], b[list[9]+1400:]...)
	}), codes: []string{repair.Hole}, notes: []string{repair.LevelLacks}},
	{name: "damaged moof", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		at := bytes.Index(b[list[5]:], []byte("trun"))
		binary.BigEndian.PutUint32(b[int(list[5])+at+8:], 1<<30)
		return b
	}), codes: []string{repair.FragmentDamaged}, notes: []string{repair.LevelLacks}},
	{name: "fragment twice", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		b = withoutIndex(t, b)
		return append(b[:list[10]:list[10]], b[list[8]:]...) // the encoder sends the last two again
	}), codes: []string{repair.FragmentTwice}},
	{name: "fragments out of order", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		b = withoutIndex(t, b)
		out := append([]byte(nil), b[:list[4]]...)
		out = append(append(append(out, b[list[6]:list[7]]...), b[list[4]:list[6]]...), b[list[7]:]...)
		return out
	}), codes: []string{repair.MfraMissing}},
	{name: "file gone", spoil: remove(sampleHigh), codes: []string{repair.IsmFile}},
	{name: "file without fragments", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		return b[:list[0]]
	}), codes: []string{repair.IsmFile}, notes: []string{repair.NoFragments}},
	{name: "empty file", spoil: change(sampleHigh, func(*testing.T, []byte) []byte { return nil }), codes: []string{repair.IsmFile}, notes: []string{repair.MediaUnreadable}},
	{name: "file of noise", spoil: change(sampleHigh, func(*testing.T, []byte) []byte { return noise(4000) }), codes: []string{repair.IsmFile}, notes: []string{repair.MediaUnreadable}},
	{name: "file shorter than the others", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		return b[:list[9]]
	}), codes: []string{repair.MfraMissing}, notes: []string{repair.TrackShort, repair.LevelLacks}},
	{name: "file much shorter than the others", spoil: change(sampleHigh, func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		return b[:list[5]]
	}), codes: []string{repair.MfraMissing, repair.IsmcStale}, notes: []string{repair.TrackShort, repair.LevelLacks, repair.LevelLeftOut}},
	{name: "sound shorter than the picture", spoil: change("film/sample_eng_11.isma", func(t *testing.T, b []byte) []byte {
		list, _ := moofs(t, b)
		return b[:list[9]]
	}), codes: []string{repair.MfraMissing, repair.IsmcStale}, notes: []string{repair.TrackShort}},
	{name: "everything", spoil: both(
		change(sampleISM, func(*testing.T, []byte) []byte { return nil }),
		change(sampleISMC, func(*testing.T, []byte) []byte { return nil }),
		change(sampleMid, func(t *testing.T, b []byte) []byte { return withoutIndex(t, b) }),
		behind(func(t *testing.T, b []byte) []byte { return append(lastFragment(t, b)[:300], make([]byte, 4096)...) }),
	), codes: []string{repair.IsmEmpty, repair.IsmcEmpty, repair.MfraMissing, repair.TornTail}},
}

// TestFaults breaks the sample presentation and repairs it: everything that was not broken is served as before.
func TestFaults(t *testing.T) {
	whole := payloads(t, sample(t), sampleISM)
	known := make(map[string]bool) // where names and bit rates are found out anew
	for k, v := range whole {
		known[strconv.FormatUint(k.Time, 10)+v] = true
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			s := sample(t)
			f.spoil(t, s)
			before := files(t, s)
			a := mend(t, s)
			require.Equal(t, sampleISM, a.Name)
			require.Equal(t, len(f.codes) > 0, a.Faults() > 0, "%+v", a)
			for _, code := range f.codes {
				require.True(t, a.Has(code), "%s: %+v", code, a)
			}
			for _, code := range f.notes {
				require.True(t, a.Has(code), "%s: %+v", code, a)
			}
			m := manifestOf(t, s, sampleISM)
			chunks := 16
			if f.chunks > 0 {
				chunks = f.chunks
			}
			require.Len(t, m.Stream("video").Timeline, chunks)
			for k, v := range payloads(t, s, sampleISM) {
				want, ok := whole[k]
				require.True(t, ok && want == v || !ok && known[strconv.FormatUint(k.Time, 10)+v], "%v", k)
			}
			nothingLost(t, s, before)
		})
	}
}

// files returns the content of all files.
func files(t testing.TB, s *lossy.Store) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for line := range strings.Lines(s.Dump()) {
		if name := strings.Fields(line)[0]; !strings.HasSuffix(name, "/") {
			out[name] = string(get(t, s, name))
		}
	}
	return out
}

// nothingLost sees to it that what was in the files before is still somewhere, but for zeros and the index.
func nothingLost(t testing.TB, s *lossy.Store, before map[string]string) {
	t.Helper()
	now := files(t, s)
	for name, was := range before {
		is, there := now[name]
		require.True(t, there || now[name+".before"] == was, "%s is gone", name)
		if is == was || now[name+".before"] == was || was == "" {
			continue
		}
		n := 0
		for n < len(is) && n < len(was) && is[n] == was[n] {
			n++
		}
		rest := was[n:]
		if strings.Trim(rest, "\x00") == "" {
			continue
		}
		found := false
		for kept, data := range now {
			found = found || strings.HasPrefix(kept, name+".") && strings.HasSuffix(kept, ".torn") && strings.HasSuffix(data, rest)
		}
		require.True(t, found, "%s: the %d bytes behind byte %d are lost", name, len(rest), n)
	}
}
