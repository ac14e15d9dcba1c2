package hls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

func indexOf(t testing.TB, ts []byte) *hls.TSIndex {
	t.Helper()
	ix, err := hls.IndexTS(t.Context(), bytes.NewReader(ts), int64(len(ts)), 0)
	require.NoError(t, err)
	return ix
}

// keyOffsets returns where the packets with the random_access_indicator of the first stream are.
func keyOffsets(ts []byte) (list []int64) {
	for at := 0; at+188 <= len(ts); at += 188 {
		if p := ts[at:]; tsPID(p) == 0x100 && tsIsKey(p) {
			list = append(list, int64(at))
		}
	}
	return list
}

func starts(ix *hls.TSIndex) (list []int64) {
	for _, p := range ix.Points {
		list = append(list, p.Start)
	}
	return list
}

func TestIndexTS(t *testing.T) {
	const start = uint64(1<<33 - 10*90_000)
	ts := archiveTS{seconds: 20, start: start, reorder: true}.make(t)
	ix := indexOf(t, ts)
	keys := keyOffsets(ts)
	require.Len(t, keys, 10)
	keys[0] = 2 * 188 // with what comes before it, behind the tables
	assert.Equal(t, keys, starts(ix))
	assert.EqualValues(t, len(ts), ix.End)
	for i, p := range ix.Points {
		assert.Equal(t, start+uint64(i*180_000+archiveFrame), p.Time)
		assert.Equal(t, start+uint64((i+1)*180_000+2*archiveFrame), p.End, "%d: the last picture but one is shown last", i)
	}
	video, audio := sampleCodecs(t)
	assert.Equal(t, video.Codecs(), ix.Video.Codecs())
	assert.Equal(t, video.PrivateData, ix.Video.PrivateData)
	assert.Equal(t, audio.Codecs(), ix.Audio.Codecs())
	assert.Equal(t, audio.SamplingRate, ix.Audio.SamplingRate)
}

// TestIndexTSWindows reads in small steps, so that everything lies across the end of a window somewhere.
func TestIndexTSWindows(t *testing.T) {
	for _, a := range []archiveTS{
		{seconds: 8, repeatTables: 1, hidden: true, reorder: true}, {seconds: 8, noVideo: true}, {seconds: 8, repeatTables: 2},
	} {
		ts := a.make(t)
		ts = append(ts[:99*188:99*188], append(bytes.Repeat([]byte{1}, 500), ts[99*188:]...)...)
		want := indexOf(t, ts)
		for _, window := range []int64{5 * 188, 6*188 - 1, 7*188 + 1, 2000, 10_000} {
			got, err := hls.IndexTS(t.Context(), bytes.NewReader(ts), int64(len(ts)), window)
			require.NoError(t, err)
			require.Equal(t, want, got, "window %d", window)
		}
	}
}

func TestIndexTSTables(t *testing.T) {
	ts := archiveTS{seconds: 20, repeatTables: 2}.make(t)
	ix := indexOf(t, ts)
	keys := keyOffsets(ts)
	for i, p := range ix.Points {
		assert.Equal(t, i%2 == 0, p.Tabled, "%d", i)
		if i%2 == 0 && i > 0 {
			assert.Equal(t, keys[i]-376, p.Start)
		}
	}
	assert.EqualValues(t, 0, ix.Points[0].Start)
	assert.Equal(t, 1, ix.Tables)
}

// TestIndexTSDamaged: junk before, between and behind the packets.
func TestIndexTSDamaged(t *testing.T) {
	ts := archiveTS{seconds: 20}.make(t)
	keys := keyOffsets(ts)
	junk := make([]byte, 10_000)
	for i := range junk {
		junk[i] = byte(i) // with bytes that look like the start of a packet
	}
	assert.Equal(t, int64(len(junk)+376), indexOf(t, append(bytes.Clone(junk), ts...)).Points[0].Start, "junk before")

	cut := indexOf(t, ts[:keys[5]+1000])
	assert.EqualValues(t, keys[5]+940, cut.End, "the last packet is cut")
	assert.Len(t, cut.Points, 6)

	hole := append(append(bytes.Clone(ts[:keys[3]+188*3+50]), junk...), ts[keys[3]+188*4:]...)
	ix := indexOf(t, hole)
	require.Len(t, ix.Holes, 1)
	assert.Equal(t, keys[3]+188*3, ix.Holes[0][0]-188, "up to the packet behind the cut one")
	assert.Equal(t, int64(len(hole)-len(ts))+keys[3]+188*4, ix.Holes[0][1])
	assert.Len(t, ix.Points, 10)

	long := append(append(bytes.Clone(ts[:keys[3]]), make([]byte, 2<<20)...), ts[keys[3]:]...)
	ix = indexOf(t, long)
	assert.EqualValues(t, keys[3], ix.End, "nothing behind a long hole")
}

// TestArchiveHole: what is no packet is not sent.
func TestArchiveHole(t *testing.T) {
	ts := archiveTS{seconds: 20}.make(t)
	at := keyOffsets(ts)[3] + 188*7
	file := append(append(bytes.Clone(ts[:at]), make([]byte, 1000)...), ts[at:]...)
	s := serveArchives(t, map2fs("a-m3u8-aapl.ism", archiveISM("video 500000 a.ts"), "a.ts", file), nil)
	checkJoined(t, s.segments(t, "/a.ism/QualityLevels(500000)/Manifest(video,format=m3u8-aapl).m3u8"), ts)
}

// TestIndexTSRestart: the times begin anew, as after an encoder has been started again.
func TestIndexTSRestart(t *testing.T) {
	first := archiveTS{seconds: 10, start: 5_000_000, noAudio: true}.make(t)
	again := archiveTS{seconds: 10, start: 1000, noAudio: true}.make(t)
	ts := append(bytes.Clone(first), again...)
	ix := indexOf(t, ts)
	require.Len(t, ix.Points, 10)
	for i, p := range ix.Points {
		assert.Equal(t, i == 5, p.Restart)
	}
	assert.GreaterOrEqual(t, ix.Points[5].Time, uint64(5_000_000+9*90_000))
	assert.Less(t, ix.Points[5].Time, uint64(5_000_000+12*90_000))
	assert.EqualValues(t, 4*180_000, ix.Points[9].Time-ix.Points[5].Time)
	s := serveArchives(t, map2fs("a-m3u8-aapl.ism", archiveISM("video 500000 a.ts"), "a.ts", ts), nil)
	media := s.body(t, "/a.ism/QualityLevels(500000)/Manifest(video,format=m3u8-aapl).m3u8")
	assert.Equal(t, 1, bytes.Count(media, []byte("#EXT-X-DISCONTINUITY\n")))
}

// TestIndexTSGap: an encoder was away for a minute, and the clock went on.
func TestIndexTSGap(t *testing.T) {
	first := archiveTS{seconds: 10, noAudio: true}.make(t)
	later := archiveTS{seconds: 10, start: 70 * 90_000, noAudio: true}.make(t)
	ix := indexOf(t, append(bytes.Clone(first), later...))
	require.Len(t, ix.Points, 10)
	assert.EqualValues(t, 10*90_000, ix.Points[4].End)
	assert.EqualValues(t, 70*90_000, ix.Points[5].Time)
	s := serveArchives(t, map2fs("a-m3u8-aapl.ism", archiveISM("video 500000 a.ts"), "a.ts", append(first, later...)), nil)
	media := s.body(t, "/a.ism/QualityLevels(500000)/Manifest(video,format=m3u8-aapl).m3u8")
	assert.Contains(t, string(media), "#EXT-X-GAP")
	assert.NotContains(t, string(media), "#EXT-X-DISCONTINUITY\n")
}

// section wraps a section in a packet.
func section(pid uint16, body ...byte) []byte {
	b := append([]byte{0x47, 0x40 | byte(pid>>8), byte(pid), 0x10, 0}, body...)
	binary.BigEndian.PutUint16(b[6:], 0xB000|uint16(len(body)+1))
	sum := ^uint32(0)
	for _, c := range b[5:] {
		sum ^= uint32(c) << 24
		for range 8 {
			sum = sum<<1 ^ 0x04C11DB7&-(sum>>31)
		}
	}
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(b, bytes.Repeat([]byte{0xFF}, 188-len(b))...)
}

func TestIndexTSRefuses(t *testing.T) {
	pat := section(0, 0, 0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xF0, 0x00)
	pmt := func(loop ...byte) []byte {
		return section(0x1000, append([]byte{2, 0, 0, 0, 1, 0xC1, 0, 0, 0xE1, 0, 0xF0, 0}, loop...)...)
	}
	many := func(packets ...[]byte) []byte { return bytes.Repeat(bytes.Join(packets, nil), 50) }
	whole := archiveTS{seconds: 4}.make(t)
	scrambled := bytes.Clone(whole)
	for at := 376; at < len(scrambled); at += 188 {
		scrambled[at+3] |= 0x80
	}
	badSum := bytes.Clone(whole)
	badSum[188+10]++
	for name, ts := range map[string][]byte{
		"nothing":                  nil,
		"a byte":                   {0x47},
		"zeros":                    make([]byte, 100_000),
		"all the same":             bytes.Repeat([]byte{0x47}, 100_000),
		"no program":               many(section(0, 0, 0, 0, 0, 1, 0xC1, 0, 0)),
		"the program is the PAT":   many(section(0, 0, 0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0, 0)),
		"a PMT without streams":    many(pat, pmt()),
		"a PMT that refers to it":  many(pat, pmt(0x1B, 0xF0, 0x00, 0xF0, 0)),
		"a PMT that ends early":    many(pat, pmt(0x1B, 0xE1, 0x00, 0xFF, 0xFF)),
		"other codecs":             many(pat, pmt(0x24, 0xE1, 0x00, 0xF0, 0, 0x81, 0xE1, 0x01, 0xF0, 0)),
		"announced but not there":  many(pat, pmt(0x1B, 0xE1, 0x00, 0xF0, 0)),
		"scrambled":                scrambled,
		"a table that is not true": badSum,
	} {
		_, err := hls.IndexTS(t.Context(), bytes.NewReader(ts), int64(len(ts)), 0)
		assert.ErrorIs(t, err, hls.ErrNotTS, name)
	}
}

// endless is a file of a terabyte whose content repeats. It counts what is read.
type endless struct {
	period []byte
	read   int64
}

func (e *endless) ReadAt(p []byte, off int64) (int, error) {
	e.read += int64(len(p))
	for n := 0; n < len(p); {
		n += copy(p[n:], e.period[(off+int64(n))%int64(len(e.period)):])
	}
	return len(p), nil
}

// TestIndexTSGivesUp: of a file that has nothing to serve only the beginning is read.
func TestIndexTSGivesUp(t *testing.T) {
	pat := section(0, 0, 0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xF0, 0x00)
	pmt := section(0x1000, 2, 0, 0, 0, 1, 0xC1, 0, 0, 0xE1, 0, 0xF0, 0, 0x1B, 0xE1, 0x00, 0xF0, 0)
	for name, period := range map[string][]byte{
		"zeros": make([]byte, 1000), "in step": bytes.Repeat([]byte{0x47}, 1880),
		"tables": append(bytes.Repeat(append(bytes.Clone(pat), pmt...), 10), bytes.Repeat(section(0x1FFF, make([]byte, 10)...), 1000)...),
	} {
		e := &endless{period: period}
		_, err := hls.IndexTS(t.Context(), e, 1<<40, 0)
		assert.ErrorIs(t, err, hls.ErrNotTS, name)
		assert.Less(t, e.read, int64(200<<20), name)
	}
}

// TestIndexTSBound: many more key frames than the index takes are too large.
func TestIndexTSBound(t *testing.T) {
	m, err := mpegts.NewMuxer([]mpegts.Stream{archiveTS{noAudio: true}.streams(t)[0]})
	require.NoError(t, err)
	group := m.Start(nil, 0)
	for i := range 1000 {
		u := mpegts.Unit{DTS: uint64(i) * 45_000, PTS: uint64(i) * 45_000, Sync: true, Data: avcSample(0x65, []byte{1, 2, 3})}
		group, err = m.Append(group, 0, &u)
		require.NoError(t, err)
	}
	ix := indexOf(t, group)
	assert.Len(t, ix.Points, 1000, "one in half a second")
	assert.Less(t, ix.Size, int64(40_000))
	near := m.Start(nil, 0)
	for i := range 1000 {
		u := mpegts.Unit{DTS: uint64(i) * 90, PTS: uint64(i) * 90, Sync: true, Data: avcSample(0x65, []byte{1, 2, 3})}
		near, err = m.Append(near, 0, &u)
		require.NoError(t, err)
	}
	assert.Len(t, indexOf(t, near).Points, 2, "a second")
}

// failing fails to read from an offset on.
type failing struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("the disk")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestIndexTSReadErrors(t *testing.T) {
	ts := archiveTS{seconds: 20}.make(t)
	_, err := hls.IndexTS(t.Context(), failing{bytes.NewReader(ts), 800_000}, int64(len(ts)), 0)
	assert.ErrorIs(t, err, errDisk)
	_, err = hls.IndexTS(t.Context(), bytes.NewReader(ts), int64(len(ts))+5, 0)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "the file has become shorter")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hls.IndexTS(ctx, bytes.NewReader(ts), int64(len(ts)), 0)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestIndexTSFlips changes bytes at random: there is an error or an index that makes sense.
func TestIndexTSFlips(t *testing.T) {
	whole := archiveTS{seconds: 3, gop: 25, repeatTables: 1}.make(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		ts := bytes.Clone(whole)
		for range 1 + r.IntN(40) {
			ts[r.IntN(len(ts))] = byte(r.Uint32())
		}
		checkIndex(t, ts)
	}
}

func checkIndex(t testing.TB, ts []byte) {
	ix, err := hls.IndexTS(context.Background(), bytes.NewReader(ts), int64(len(ts)), 2000)
	if err != nil {
		require.True(t, errors.Is(err, hls.ErrNotTS) || errors.Is(err, smooth.ErrTooLarge), err)
		return
	}
	require.NotEmpty(t, ix.Points)
	require.LessOrEqual(t, ix.End, int64(len(ts)))
	last := hls.TSPoint{Start: -1}
	for i, p := range ix.Points {
		require.Greater(t, p.Start, last.Start)
		require.Less(t, p.Start, ix.End)
		require.GreaterOrEqual(t, p.End, p.Time)
		require.True(t, i == 0 || p.Time > last.Time)
		require.EqualValues(t, 0x47, ts[p.Start])
		last = p
	}
	for _, h := range ix.Holes {
		require.Less(t, h[0], h[1])
	}
}

func FuzzIndexTS(f *testing.F) {
	for _, a := range []archiveTS{{seconds: 1, gop: 10}, {seconds: 1, noVideo: true}, {seconds: 1, hidden: true, repeatTables: 1, gop: 5}} {
		ts := a.make(f)
		f.Add(ts[:min(len(ts), 188*60)])
		f.Add(append([]byte("junk G"), ts[:188*20+7]...))
	}
	f.Add(bytes.Repeat([]byte{0x47}, 188*8))
	f.Fuzz(func(t *testing.T, ts []byte) { checkIndex(t, ts) })
}

func BenchmarkIndexTS(b *testing.B) {
	ts := archiveTS{seconds: 60}.make(b)
	b.SetBytes(int64(len(ts)))
	b.ReportAllocs()
	for b.Loop() {
		indexOf(b, ts)
	}
}
