package fmp4_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// streamBoxes reads a stream to its end: the boxes and their bytes.
func streamBoxes(r io.Reader, limit int64) (boxes []fmp4.Box, raw [][]byte, err error) {
	s := fmp4.NewStreamReader(r)
	for {
		h, err := s.Next()
		if err != nil {
			return boxes, raw, err
		}
		b, err := s.Append([]byte("x"), limit)
		if err != nil {
			return boxes, raw, err
		}
		boxes, raw = append(boxes, h), append(raw, b[1:])
	}
}

func TestStreamReader(t *testing.T) {
	parts := [][]byte{bx("ftyp", []byte("isml")), ubx(fmp4.UUIDLiveServerManifest, 1, 2, []byte("<smil/>")), bx64("moov", make([]byte, 200<<10)),
		bx("mfra"), cat(be32(1), []byte("uuid"), be64(16+16+3), fmp4.UUIDTfxd[:], []byte("abc"))}
	whole := cat(parts...)
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(whole), "one byte": iotest.OneByteReader(bytes.NewReader(whole)), "end with data": iotest.DataErrReader(bytes.NewReader(whole)),
	} {
		boxes, raw, err := streamBoxes(r, 1<<20)
		require.Equal(t, io.EOF, err, name)
		require.Equal(t, parts, raw, name)
		off := int64(0)
		for i, h := range boxes {
			require.EqualValues(t, []int64{off, int64(len(parts[i]))}, []int64{h.Offset, h.Size})
			off = h.End()
		}
		require.Equal(t, fmp4.UUIDLiveServerManifest, boxes[1].UUID)
		require.EqualValues(t, 32, boxes[4].Header)
	}
}

// TestStreamReaderParts: boxes can be read in parts, skipped, and left.
func TestStreamReaderParts(t *testing.T) {
	s := fmp4.NewStreamReader(bytes.NewReader(cat(bx("free", []byte("0123456789")), bx("mdat", []byte("abcdef")), bx("mfra"))))
	require.NoError(t, s.Wait())
	_, err := s.Next()
	require.NoError(t, err)
	b := make([]byte, 3)
	require.NoError(t, s.ReadFull(b))
	require.Equal(t, "012", string(b))
	require.NoError(t, s.Skip(5))
	require.EqualValues(t, []int64{16, 2}, []int64{s.Offset(), s.Left()})
	require.ErrorIs(t, s.ReadFull(b), fmp4.ErrCorrupt, "more than there is in the box")
	require.ErrorIs(t, s.Skip(3), fmp4.ErrCorrupt)
	require.ErrorIs(t, s.Skip(-1), fmp4.ErrCorrupt)
	h, err := s.Next()
	require.NoError(t, err)
	require.EqualValues(t, []any{fmp4.TypeMdat, int64(18)}, []any{h.Type, h.Offset})
	require.NoError(t, s.Discard())
	require.NoError(t, s.Wait())
	_, err = s.Next()
	require.NoError(t, err)
	require.Equal(t, io.EOF, s.Wait())
	_, err = s.Next()
	require.Equal(t, io.EOF, err)
}

func TestStreamReaderErrors(t *testing.T) {
	good := bx("free", []byte("0123456789"))
	for name, c := range map[string]struct {
		b      []byte
		path   string
		offset int64
		want   error
	}{
		"size 0":           {bx0("mdat", []byte("abc")), "mdat", 18, fmp4.ErrCorrupt},
		"size 7":           {be32(7, uint32(fmp4.TypeFree)), "free", 18, fmp4.ErrCorrupt},
		"large size 15":    {cat(be32(1), []byte("free"), be64(15)), "free", 18, fmp4.ErrCorrupt},
		"size of 2^63":     {cat(be32(1), []byte("free"), be64(1<<63)), "free", 18, fmp4.ErrCorrupt},
		"size to overflow": {cat(be32(1), []byte("free"), be64(1<<63-1)), "free", 18, fmp4.ErrCorrupt},
		"short uuid":       {cat(be32(20), []byte("uuid"), make([]byte, 20)), "uuid", 18, fmp4.ErrCorrupt},
		"too large":        {bx("free", make([]byte, 1000)), "free", 18, fmp4.ErrTooLarge},
		"half a header":    {[]byte{0, 0, 0}, "box", 18, io.ErrUnexpectedEOF},
		"half a large one": {cat(be32(1), []byte("free"), be32(0)), "box", 18, io.ErrUnexpectedEOF},
		"half a body":      {be32(100, uint32(fmp4.TypeFree), 1), "free", 18, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := streamBoxes(bytes.NewReader(cat(good, c.b)), 500)
			var e *fmp4.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.path, e.Path)
			require.Equal(t, c.offset, e.Offset)
		})
	}
	broken := errors.New("cable")
	for n := range len(good) + 1 {
		_, _, err := streamBoxes(io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(broken)), 500)
		require.ErrorIs(t, err, broken)
	}
}

// TestStreamReaderMemory: what a header claims is not allocated.
func TestStreamReaderMemory(t *testing.T) {
	raw := cat(be32(200<<20, uint32(fmp4.TypeMoov)), make([]byte, 100<<10))
	used := allocated(func() {
		_, _, err := streamBoxes(bytes.NewReader(raw), 1<<30)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
	require.Less(t, used, uint64(1<<20))
}

func TestBrands(t *testing.T) {
	b, err := fmp4.ParseBrands(bx("styp", []byte("msdh\x00\x00\x00\x00cmflcmfs")), 0)
	require.NoError(t, err)
	require.True(t, b.Has(fmp4.BrandChunk) && b.Has(fmp4.BrandSegment))
	require.False(t, b.Has(fmp4.BrandLast) || b.Has(fmp4.BrandFragment))
	b, err = fmp4.ParseBrands(bx("styp", []byte("lmsgcmflcmf")), 0)
	require.NoError(t, err)
	require.True(t, b.Has(fmp4.BrandLast))
	require.False(t, b.Has(fmp4.BrandChunk), "that is the minor version")
	_, err = fmp4.ParseBrands(bx("styp", []byte("msdh")), 0)
	require.ErrorIs(t, err, fmp4.ErrCorrupt)
	_, err = fmp4.ParseBrands(nil, 0)
	require.ErrorIs(t, err, fmp4.ErrCorrupt)
}

func TestProducerTime(t *testing.T) {
	want := fmp4.ProducerTime{TrackID: 3, NTP: 5 << 32, Media: -7}
	got, err := fmp4.ParseProducerTime(fbx("prft", 1, 0x18, be32(3), be64(5<<32), be64(1<<64-7)), 0)
	require.NoError(t, err)
	require.Equal(t, want, got)
	want.Media = 7
	got, err = fmp4.ParseProducerTime(fbx("prft", 0, 0, be32(3), be64(5<<32), be32(7)), 0)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, b := range [][]byte{fbx("prft", 1, 0, be32(3), be64(5), be32(7)), fbx("prft", 0, 0), bx("prft"), bx("free", make([]byte, 40)), nil} {
		_, err := fmp4.ParseProducerTime(b, 9)
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
	}
}

func TestFullUUID(t *testing.T) {
	b := fmp4.AppendFullUUID([]byte("x"), fmp4.UUIDStreamManifest, []byte("abc"))
	require.Equal(t, cat([]byte("x"), ubx(fmp4.UUIDStreamManifest, 0, 0, []byte("abc"))), b)
	got, err := fmp4.ParseFullUUID(b[1:], 0)
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
	_, err = fmp4.ParseFullUUID(bx("uuid", fmp4.UUIDTfxd[:], []byte{0}), 0)
	require.ErrorIs(t, err, fmp4.ErrCorrupt)
}

func TestEntryBitrate(t *testing.T) {
	entry := func(rates ...uint32) []byte { return bx("mp4a", make([]byte, 28), bx("btrt", be32(0), be32(rates...))) }
	require.EqualValues(t, 7, fmp4.EntryBitrate(entry(9, 7), fmp4.AudioEntry))
	require.EqualValues(t, 9, fmp4.EntryBitrate(entry(9, 0), fmp4.AudioEntry))
	require.Zero(t, fmp4.EntryBitrate(entry(9), fmp4.AudioEntry))
	require.Zero(t, fmp4.EntryBitrate(bx("mp4a", make([]byte, 28)), fmp4.AudioEntry))
	require.Zero(t, fmp4.EntryBitrate([]byte("mp4a"), fmp4.AudioEntry))
}

func TestBaseAtMoof(t *testing.T) {
	raw := moofOf(cat(tfhd(hBase, be32(3), be64(1<<40)), trun(rOffset|rSize, 1, 100, 4)))
	m, err := fmp4.ParseMoof(raw, 5000)
	require.NoError(t, err)
	spans, err := m.Spans(nil, 0, noDefaults)
	require.NoError(t, err)
	require.Equal(t, []fmp4.Span{{1<<40 + 100, 4}}, spans)
	require.True(t, m.BaseAtMoof())
	spans, err = m.Spans(nil, 0, noDefaults)
	require.NoError(t, err)
	require.Equal(t, []fmp4.Span{{5100, 4}}, spans)
	m, err = fmp4.ParseMoof(moofOf(tfhd(0, be32(3))), 0)
	require.NoError(t, err)
	require.False(t, m.BaseAtMoof())
}

func TestJoinEncryption(t *testing.T) {
	one := cat(be32(2, 1), []byte("abcdefgh"), []byte{0, 0})
	first, ok := fmp4.JoinEncryption(nil, one)
	require.True(t, ok)
	both, ok := fmp4.JoinEncryption(first, one)
	require.True(t, ok)
	require.Equal(t, cat(be32(2, 2), one[8:], one[8:]), both)
	require.Equal(t, cat(be32(2, 1), []byte("abcdefgh"), []byte{0, 0}), one, "the second one is as it was")
	for _, c := range [][2][]byte{
		{one, cat(be32(0, 1), []byte("abcdefgh"))}, {one, be32(2)}, {be32(2), one}, {one, nil}, {one, be32(2, 1<<20)},
		{cat(be32(1, 0), make([]byte, 16), be32(1)), cat(be32(1, 0), make([]byte, 16), be32(1))},
	} {
		_, ok := fmp4.JoinEncryption(bytes.Clone(c[0]), c[1])
		require.False(t, ok)
	}
}

// TestLiveMovie: the header of a live stream made of others, read by the library.
func TestLiveMovie(t *testing.T) {
	for _, wide := range []bool{false, true} {
		init := mp4.CreateEmptyInit()
		init.Moov.Mvhd.Duration, init.Moov.Mvhd.Timescale = 77, 600
		for i, media := range []string{"video", "audio", "subtitle"} {
			trak := init.AddEmptyTrack(uint32(1000*(i+1)), media, "fra")
			trak.Tkhd.Duration, trak.Mdia.Mdhd.Duration = 77, 770
			edts := &mp4.EdtsBox{}
			edts.AddChild(&mp4.ElstBox{Entries: []mp4.ElstEntry{{MediaTime: 9, MediaRateInteger: 1}}})
			trak.AddChild(edts)
			init.Moov.Mvex.Trexs[i].DefaultSampleDuration = 5
			if wide {
				trak.Tkhd.Version, trak.Mdia.Mdhd.Version, init.Moov.Mvhd.Version = 1, 1, 1
			}
		}
		init.Moov.AddChild(mp4.CreateUnknownBox("abcd", 12, []byte("keep")))
		out, err := fmp4.LiveMovie(encode(t, init.Moov), 0, 10_000_000, []uint32{3, 1})
		require.NoError(t, err)
		lib := decode(t, out).(*mp4.MoovBox)
		require.EqualValues(t, []uint64{10_000_000, 0}, []uint64{uint64(lib.Mvhd.Timescale), lib.Mvhd.Duration})
		require.Len(t, lib.Traks, 2)
		for i, trak := range lib.Traks {
			require.EqualValues(t, []uint32{1, 3}[i], trak.Tkhd.TrackID)
			require.Nil(t, trak.Edts)
			require.Zero(t, trak.Tkhd.Duration+trak.Mdia.Mdhd.Duration)
			require.EqualValues(t, 10_000_000, trak.Mdia.Mdhd.Timescale)
			require.Equal(t, "fra", trak.Mdia.Mdhd.GetLanguage())
			x := lib.Mvex.Trexs[i]
			require.EqualValues(t, []uint32{trak.Tkhd.TrackID, 1, 0, 0, 0}, []uint32{x.TrackID, x.DefaultSampleDescriptionIndex, x.DefaultSampleDuration, x.DefaultSampleSize, x.DefaultSampleFlags})
		}
		require.Contains(t, string(out), "abcdkeep")
		again, err := fmp4.LiveMovie(out, 0, 10_000_000, []uint32{1, 3})
		require.NoError(t, err)
		require.Equal(t, out, again)
	}
	out, err := fmp4.LiveMovie(bx("moov", fbx("mvhd", 0, 0, make([]byte, 96)), bx0("free", []byte("rest"))), 0, 90000, nil)
	require.NoError(t, err)
	require.Contains(t, string(out), string(bx("free", []byte("rest"))), "a box of unstated size is not the last one any more")
	for _, bad := range [][]byte{nil, bx("moof"), bx("moov", fbx("mvhd", 0, 0)), bx("moov", bx("trak", fbx("tkhd", 1, 0, make([]byte, 80)))), bx("moov", be32(100, 5)), bx("moov", bx("trak", bx("mdia", bx("mdhd"))))} {
		_, err := fmp4.LiveMovie(bad, 0, 1, nil)
		require.ErrorIs(t, err, fmp4.ErrCorrupt)
	}
}

func FuzzStreamReader(f *testing.F) {
	f.Add(cat(bx("ftyp", []byte("isml")), ubx(fmp4.UUIDTfxd, 1, 0, be64(5, 6)), bx64("mdat", []byte("abc")), bx("mfra")))
	f.Add(cat(bx("styp", []byte("msdh\x00\x00\x00\x00lmsg")), fbx("prft", 1, 0, be32(3), be64(5, 6)), bx0("mdat")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var boxes []fmp4.Box
		var all [][]byte
		var err error
		used := allocated(func() { boxes, all, err = streamBoxes(bytes.NewReader(raw), 1<<20) })
		require.Less(t, used, uint64(1<<20+64*len(raw)))
		end := int64(0)
		for i, h := range boxes {
			require.True(t, h.Offset == end && h.End() <= int64(len(raw)))
			require.Equal(t, raw[h.Offset:h.End()], all[i])
			end = h.End()
			fmp4.ParseBrands(all[i], 0)
			fmp4.ParseProducerTime(all[i], 0)
			fmp4.ParseFullUUID(all[i], 0)
		}
		if err == io.EOF {
			require.EqualValues(t, len(raw), end)
			return
		}
		requirePlace(t, err)
		_, slow, again := streamBoxes(iotest.OneByteReader(bytes.NewReader(raw)), 1<<20)
		require.Equal(t, all, slow)
		require.Equal(t, err, again)
	})
}

func FuzzLiveMovie(f *testing.F) {
	f.Add(moov(trak(1, stblEmpty)))
	f.Add(moov(trak(1, stblEmpty, bx("edts", fbx("elst", 1, 0, be32(0)))), trak(2, stblEmpty), bx("mvex", trexes(2))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := fmp4.ParseMovie(raw, 0)
		if err != nil {
			_, err := fmp4.LiveMovie(raw, 0, 10_000_000, []uint32{1})
			if err != nil {
				requirePlace(t, err)
			}
			return
		}
		var ids []uint32
		for i := range m.Tracks {
			if m.Tracks[i].ID != 0 {
				ids = append(ids, m.Tracks[i].ID)
			}
		}
		out, err := fmp4.LiveMovie(raw, 0, 10_000_000, ids)
		require.NoError(t, err)
		o, err := fmp4.ParseMovie(out, 0)
		require.NoError(t, err)
		require.Len(t, o.Tracks, len(ids))
		for i, id := range ids {
			require.Equal(t, id, o.Tracks[i].ID)
			want := m.Track(id)
			require.Equal(t, want.Entry, o.Tracks[i].Entry)
			require.EqualValues(t, []any{uint32(10_000_000), fmp4.Defaults{}, int64(0), want.Handler}, []any{o.Tracks[i].Timescale, o.Tracks[i].Defaults, o.Tracks[i].Shift, want.Handler})
		}
	})
}
