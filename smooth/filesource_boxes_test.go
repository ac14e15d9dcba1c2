package smooth_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// bx is a box of a file that a test takes apart.
type bx struct {
	typ string
	raw []byte
}

// boxes splits bytes into boxes.
func boxes(t testing.TB, b []byte) []bx {
	t.Helper()
	var out []bx
	for len(b) > 0 {
		n := uint64(binary.BigEndian.Uint32(b))
		if n == 1 {
			n = binary.BigEndian.Uint64(b[8:])
		}
		require.GreaterOrEqual(t, n, uint64(8))
		require.LessOrEqual(t, n, uint64(len(b)))
		out = append(out, bx{string(b[4:8]), b[:n]})
		b = b[n:]
	}
	return out
}

// mkbox makes a box.
func mkbox(typ string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, typ...), body...)
}

func join(list []bx) []byte {
	var b []byte
	for _, x := range list {
		b = append(b, x.raw...)
	}
	return b
}

// is reports whether a box is a uuid box of an extended type.
func (x bx) is(id fmp4.UUID) bool { return x.typ == "uuid" && bytes.Equal(x.raw[8:24], id[:]) }

// editTrafs returns a moof box with the children of its only traf edited, its data offset moved along by extra bytes
// that come between the moof box and the data besides.
func editTraf(t testing.TB, moof []byte, extra int, edit func(list []bx) []bx) []byte {
	t.Helper()
	var parts [][]byte
	for _, x := range boxes(t, moof[8:]) {
		if x.typ == "traf" {
			x.raw = mkbox("traf", join(edit(boxes(t, x.raw[8:]))))
		}
		parts = append(parts, x.raw)
	}
	out := bytes.Clone(mkbox("moof", parts...))
	i := bytes.Index(out, []byte("trun"))
	require.Positive(t, i)
	at := out[i+12:]
	binary.BigEndian.PutUint32(at, binary.BigEndian.Uint32(at)+uint32(len(out)-len(moof)+extra))
	return out
}

// without returns an editor that removes boxes.
func without(drop func(bx) bool) func([]bx) []bx {
	return func(list []bx) []bx {
		var out []bx
		for _, x := range list {
			if !drop(x) {
				out = append(out, x)
			}
		}
		return out
	}
}

func isTfxd(x bx) bool { return x.is(fmp4.UUIDTfxd) }

// ismv is a file with one track per moof that a test changes.
type ismv struct {
	head  []bx
	frags []frag
}

type frag struct {
	before, moof, mdat []byte
	id                 uint32
	time               uint64
}

// parseISMV takes a file of fragments with tfxd apart.
func parseISMV(t testing.TB, data []byte) *ismv {
	t.Helper()
	f := new(ismv)
	list := boxes(t, data)
	for i, x := range list {
		switch x.typ {
		case "ftyp", "moov":
			f.head = append(f.head, x)
		case "moof":
			m, err := fmp4.ParseMoof(x.raw, 0)
			require.NoError(t, err)
			f.frags = append(f.frags, frag{moof: x.raw, mdat: list[i+1].raw, id: m.Trafs[0].TrackID, time: m.Trafs[0].Time})
		}
	}
	return f
}

// bytes puts the file together, with an mfra box unless index is nil, which may change its entries.
func (f *ismv) bytes(index func(id uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry) []byte {
	out := join(f.head)
	entries := map[uint32][]fmp4.TfraEntry{}
	var ids []uint32
	for _, fr := range f.frags {
		out = append(out, fr.before...)
		if entries[fr.id] == nil {
			ids = append(ids, fr.id)
		}
		entries[fr.id] = append(entries[fr.id], fmp4.TfraEntry{Time: fr.time, Moof: uint64(len(out))})
		out = append(append(out, fr.moof...), fr.mdat...)
	}
	if index == nil {
		return out
	}
	var kept []uint32
	var lists [][]fmp4.TfraEntry
	for _, id := range ids {
		if e := index(id, entries[id]); e != nil {
			kept, lists = append(kept, id), append(lists, e)
		}
	}
	return fmp4.AppendMfra(out, kept, lists)
}

// whole is an index for [ismv.bytes] that is right.
func whole(_ uint32, e []fmp4.TfraEntry) []fmp4.TfraEntry { return e }

// each applies an edit to every fragment.
func (f *ismv) each(edit func(*frag)) *ismv {
	for i := range f.frags {
		edit(&f.frags[i])
	}
	return f
}

// textFile makes a file of one text track with a fragment per sample, which lasts two seconds.
func textFile(t testing.TB, samples ...string) []byte {
	t.Helper()
	init := mp4.CreateEmptyInit()
	trak := init.AddEmptyTrack(10_000_000, "subt", "en")
	require.NoError(t, trak.SetStppDescriptor("http://www.w3.org/ns/ttml", "", ""))
	var b bytes.Buffer
	require.NoError(t, init.Encode(&b))
	for i, s := range samples {
		f, err := mp4.CreateFragment(uint32(i+1), 1)
		require.NoError(t, err)
		f.AddFullSample(mp4.FullSample{
			Sample:     mp4.Sample{Flags: mp4.SyncSampleFlags, Dur: 20_000_000, Size: uint32(len(s))},
			DecodeTime: uint64(i) * 20_000_000, Data: []byte(s),
		})
		require.NoError(t, f.Encode(&b))
	}
	return b.Bytes()
}

// TestUnnamedTrack: a track that the server manifest does not name, and that has no fragments, does not make a source look at each
// fragment of the file.
func TestUnnamedTrack(t *testing.T) {
	data := testmedia.File(t, "av.ismv")
	h, ok := fmp4.FindMfra(bytes.NewReader(data), int64(len(data)))
	require.True(t, ok)
	tables, err := fmp4.ParseMfra(data[h.Offset:], h.Offset)
	require.NoError(t, err)
	var entries []fmp4.TfraEntry
	for i := range tables[0].Len() {
		time, moof := tables[0].At(i)
		entries = append(entries, fmp4.TfraEntry{Time: time, Moof: moof})
	}
	require.Greater(t, len(entries), 1)
	// An index that lists the first and the last fragment only is believed where it is used; a scan would find all.
	short := []fmp4.TfraEntry{entries[0], entries[len(entries)-1]}
	data = fmp4.AppendMfra(data[:h.Offset:h.Offset], []uint32{tables[0].TrackID}, [][]fmp4.TfraEntry{short})
	id := fmt.Sprint(tables[0].TrackID)
	other := fmt.Sprint(3 - tables[0].TrackID)
	for name, c := range map[string]struct {
		ism  []byte
		want int
	}{
		"not named": {ism("", track("video", "av.ismv", 40000, "trackID", id)), 2},
		"named":     {ism("", track("video", "av.ismv", 40000, "trackID", id), track("audio", "av.ismv", 16000, "trackID", other)), len(entries)},
		"guessed":   {ism("", track("video", "av.ismv", 40000)), len(entries)},
	} {
		src, _ := source(t, tree(map[string][]byte{"av.ismv": data, "x.ism": c.ism}), nil)
		s, _ := fetchAll(t, src, "x.ism")
		assert.Len(t, s.Manifest.Stream("video").Timeline, c.want, name)
	}
}
