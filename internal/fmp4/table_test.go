package fmp4_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
)

// randomTables returns tables with a random run structure: empty runs, runs that go on past the last sample, a last
// chunk that is not full.
func randomTables(r *rand.Rand) *tables {
	n := 1 + r.IntN(700)
	tb := &tables{noStss: r.IntN(3) == 0, co64: r.IntN(2) == 0, bits: []int{0, 0, 4, 8, 16}[r.IntN(5)]}
	runs := func(value func() uint32) (out []uint32) {
		for sum := 0; sum < n; {
			c := r.IntN(4) * r.IntN(60) * r.IntN(2)
			if r.IntN(2) == 0 {
				c = 1
			}
			out = append(out, uint32(c), value())
			sum += c
		}
		return out
	}
	tb.stts = runs(func() uint32 { return uint32(r.IntN(3000)) })
	if r.IntN(2) == 0 {
		tb.ctts = runs(func() uint32 { return uint32(r.IntN(2000) - 1000) })
	}
	for i := range n {
		if r.IntN(12) == 0 {
			tb.stss = append(tb.stss, uint32(i+1))
			if r.IntN(9) == 0 {
				tb.stss = append(tb.stss, uint32(i+1)) // twice
			}
		}
	}
	if r.IntN(5) == 0 {
		tb.bits, tb.fixed, tb.count = 0, 1+uint32(r.IntN(9)), uint32(n)
	} else {
		limit := map[int]int{0: 100_000, 4: 16, 8: 256, 16: 65536}[tb.bits]
		for range n {
			tb.sizes = append(tb.sizes, uint32(r.IntN(limit)))
		}
	}
	chunk, left := uint32(1), n
	for left > 0 {
		per, chunks := r.IntN(9), 1+r.IntN(5)
		if r.IntN(4) == 0 {
			per = 0
		}
		tb.stsc = append(tb.stsc, chunk, uint32(per), 1)
		for range chunks {
			if per > 0 && left <= 0 {
				break
			}
			chunk++
			left -= per
			tb.chunks = append(tb.chunks, uint64(r.Uint32N(1<<31)))
		}
	}
	return tb
}

// expand is the naive reading of the tables.
func (tb *tables) expand() []fmp4.TableSample {
	n := len(tb.sizes)
	if tb.fixed != 0 {
		n = int(tb.count)
	}
	out := make([]fmp4.TableSample, n)
	i, dts := 0, uint64(0)
	for e := 0; e < len(tb.stts); e += 2 {
		for range tb.stts[e] {
			if i < n {
				out[i].DTS, out[i].Duration = dts, tb.stts[e+1]
			}
			i, dts = i+1, dts+uint64(tb.stts[e+1])
		}
	}
	i = 0
	for e := 0; e < len(tb.ctts); e += 2 {
		for range tb.ctts[e] {
			if i < n {
				out[i].CTS = int32(tb.ctts[e+1])
			}
			i++
		}
	}
	for i := range out {
		out[i].Size, out[i].Sync = tb.fixed, tb.noStss
		if tb.fixed == 0 {
			out[i].Size = tb.sizes[i]
		}
	}
	for _, s := range tb.stss {
		out[s-1].Sync = true
	}
	i = 0
	for c, off := range tb.chunks {
		per := uint32(0)
		for e := 0; e < len(tb.stsc) && tb.stsc[e] <= uint32(c+1); e += 3 {
			per = tb.stsc[e+1]
		}
		for at := int64(off); per > 0 && i < n; per-- {
			out[i].Offset = at
			at += int64(out[i].Size)
			i++
		}
	}
	return out
}

// requireTable compares a table with what it must hold: in sequence, from every sample on, and by sums.
func requireTable(t testing.TB, want []fmp4.TableSample, got *fmp4.Table) {
	t.Helper()
	require.EqualValues(t, len(want), got.Len())
	var sum uint64
	var syncs []uint32
	seq := got.At(0)
	for i, w := range want {
		s, ok := seq.Next()
		require.True(t, ok)
		require.Equal(t, w, s, "sample %d in sequence", i)
		at := got.At(uint32(i))
		for k := i; k < min(i+3, len(want)); k++ {
			s, ok = at.Next()
			require.True(t, ok)
			require.Equal(t, want[k], s, "sample %d from %d on", k, i)
		}
		require.Equal(t, sum, got.BytesBefore(uint32(i)), "bytes before %d", i)
		sum += uint64(w.Size)
		if w.Sync {
			syncs = append(syncs, uint32(i))
		}
	}
	require.Equal(t, sum, got.BytesBefore(got.Len()))
	_, ok := seq.Next()
	require.False(t, ok)
	end := got.At(got.Len())
	_, ok = end.Next()
	require.False(t, ok)
	requireSync(t, syncs, got)
}

func requireSync(t testing.TB, want []uint32, got *fmp4.Table) {
	t.Helper()
	var all []uint32
	for k := 0; ; k++ {
		s, ok := got.Sync(k)
		if !ok {
			break
		}
		if n := len(all); n == 0 || all[n-1] != s {
			all = append(all, s)
		}
	}
	require.Equal(t, want, all)
	_, ok := got.Sync(-1)
	require.False(t, ok)
}

func TestTableRandom(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			tb := randomTables(rand.New(rand.NewPCG(seed, 1)))
			got := parseTable(t, tb)
			require.Equal(t, !tb.noStss, got.HasSync())
			requireTable(t, tb.expand(), got)
		})
	}
}

// TestTableBoundaries: as many entries and samples as lie between two marks of the index, and one more or less.
func TestTableBoundaries(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513} {
		tb := &tables{noStss: true, stsc: []uint32{1, 1, 1}}
		for i := range n {
			tb.stts = append(tb.stts, 1, uint32(i))
			tb.ctts = append(tb.ctts, 1, uint32(-i))
			tb.sizes = append(tb.sizes, uint32(i))
			tb.chunks = append(tb.chunks, uint64(i*1000))
		}
		requireTable(t, tb.expand(), parseTable(t, tb))
	}
}

// TestTableNegativeOffsets: version 0 of ctts is read as signed too.
func TestTableNegativeOffsets(t *testing.T) {
	for v := range uint8(2) {
		tb := &tables{noStss: true, stts: []uint32{2, 5}, ctts: []uint32{1, 0xffffff9c, 1, 7}, cttsVersion: v,
			fixed: 3, count: 2, stsc: []uint32{1, 2, 1}, chunks: []uint64{9}}
		c := parseTable(t, tb).At(0)
		s, _ := c.Next()
		require.EqualValues(t, -100, s.CTS)
	}
}

func TestTableZero(t *testing.T) {
	var c fmp4.SampleCursor
	_, ok := c.Next()
	require.False(t, ok)
	var tb fmp4.Table
	require.Zero(t, tb.Len())
	require.Zero(t, tb.BytesBefore(0))
	c = tb.At(0)
	_, ok = c.Next()
	require.False(t, ok)
	requireTable(t, []fmp4.TableSample{}, parseTable(t, &tables{noStss: true}))
}

func TestTableErrors(t *testing.T) {
	const stbl = "moov/trak/mdia/minf/stbl/"
	good := func() *tables {
		return &tables{stts: []uint32{4, 10}, ctts: []uint32{4, 1}, stsc: []uint32{1, 2, 1}, stss: []uint32{1, 3},
			sizes: []uint32{1, 2, 3, 4}, chunks: []uint64{100, 200}}
	}
	parseTable(t, good())
	for _, c := range []struct {
		name, box string
		kind      error
		change    func(tb *tables)
	}{
		{"few times", "stts", fmp4.ErrCorrupt, func(tb *tables) { tb.stts = []uint32{3, 10} }},
		{"no times", "stts", fmp4.ErrCorrupt, func(tb *tables) { tb.stts = nil }},
		{"product above the limit", "stts", fmp4.ErrCorrupt, func(tb *tables) { tb.stts = []uint32{math.MaxUint32, math.MaxUint32} }},
		{"sum wraps 64 bits", "stts", fmp4.ErrCorrupt, func(tb *tables) {
			tb.stts = []uint32{math.MaxUint32, 4, math.MaxUint32, math.MaxUint32}
		}},
		{"sum above the limit", "stts", fmp4.ErrCorrupt, func(tb *tables) {
			tb.stts = []uint32{1 << 30, 1 << 30, 1, 1}
		}},
		{"few offsets", "ctts", fmp4.ErrCorrupt, func(tb *tables) { tb.ctts = []uint32{3, 10} }},
		{"no runs", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = nil }},
		{"first chunk 2", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = []uint32{2, 4, 1} }},
		{"first chunk 0", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = []uint32{0, 4, 1} }},
		{"chunks repeat", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = []uint32{1, 2, 1, 1, 2, 1} }},
		{"chunks descend", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = []uint32{1, 2, 1, 2, 2, 1, 1, 1, 1} }},
		{"chunk beyond", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = []uint32{1, 4, 1, 4, 2, 1, 5, 1, 1} }},
		{"few chunks", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.chunks = tb.chunks[:1] }},
		{"no chunks", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.chunks = nil }},
		{"empty runs", "stsc", fmp4.ErrCorrupt, func(tb *tables) { tb.stsc = []uint32{1, 0, 1} }},
		{"endless chunks", "stsc", fmp4.ErrCorrupt, func(tb *tables) {
			tb.stsc, tb.chunks = []uint32{1, math.MaxUint32, 1}, make([]uint64, 300)
		}},
		{"sync samples descend", "stss", fmp4.ErrCorrupt, func(tb *tables) { tb.stss = []uint32{3, 1} }},
		{"too many samples", "stsz", fmp4.ErrTooLarge, func(tb *tables) { tb.fixed, tb.count = 1, fmp4.MaxSamples+1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := good()
			c.change(tb)
			_, err := fmp4.ParseMovie(moov(trak(1, tb.box())), 0)
			requireKind(t, err, c.kind, stbl+c.box)
		})
	}
}

// TestTableLyingCounts: a count beyond the box is an error, and costs nothing.
func TestTableLyingCounts(t *testing.T) {
	tb := &tables{stts: []uint32{4, 10}, ctts: []uint32{4, 1}, stsc: []uint32{1, 2, 1}, stss: []uint32{1, 3},
		sizes: []uint32{1, 2, 3, 4}, chunks: []uint64{100, 200}}
	for _, typ := range []string{"stts", "ctts", "stsc", "stss", "stsz", "stco"} {
		for _, n := range []uint32{5, 0x10000000, 0x20000001, 0x40000001, 0x80000000, 0xffffffff} {
			raw := moov(trak(1, tb.box()))
			at := indexOf(t, raw, typ) + 8
			if typ == "stsz" {
				at += 4
			}
			copy(raw[at:], be32(n))
			used := allocated(func() {
				_, err := fmp4.ParseMovie(raw, 0)
				require.Error(t, err, "%s %d", typ, n)
			})
			require.Less(t, used, uint64(64<<10), "%s %d", typ, n)
		}
	}
	for _, bits := range []int{4, 8, 16} {
		tb.bits = bits
		raw := moov(trak(1, tb.box()))
		copy(raw[indexOf(t, raw, "stz2")+12:], be32(fmp4.MaxSamples))
		_, err := fmp4.ParseMovie(raw, 0)
		requireKind(t, err, fmp4.ErrCorrupt, "moov/trak/mdia/minf/stbl/stz2")
	}
	raw := moov(trak(1, tb.box()))
	raw[indexOf(t, raw, "stz2")+11] = 5
	_, err := fmp4.ParseMovie(raw, 0)
	requireKind(t, err, fmp4.ErrCorrupt, "moov/trak/mdia/minf/stbl/stz2")
}

// TestTableMost: the most samples of the largest size at the largest offset; no sum goes below zero.
func TestTableMost(t *testing.T) {
	tb := &tables{noStss: true, co64: true, stts: []uint32{fmp4.MaxSamples, 1}, fixed: math.MaxUint32,
		count: fmp4.MaxSamples, stsc: []uint32{1, fmp4.MaxSamples, 1}, chunks: []uint64{math.MaxUint64}}
	var got *fmp4.Table
	require.Less(t, allocated(func() { got = parseTable(t, tb) }), uint64(64<<10))
	for _, i := range []uint32{0, 1, fmp4.MaxSamples / 2, fmp4.MaxSamples - 1} {
		c := got.At(i)
		s, ok := c.Next()
		require.True(t, ok)
		require.Equal(t, int64(1<<60)+int64(i)*math.MaxUint32, s.Offset)
		require.Positive(t, s.Offset)
	}
	require.Equal(t, uint64(fmp4.MaxSamples)*math.MaxUint32, got.BytesBefore(fmp4.MaxSamples))
}

// TestTableLibrary compares the tables of real files with the library's reading of them.
func TestTableLibrary(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testmedia.Shared(t, "testdata/media/mp4"), "*"))
	require.NoError(t, err)
	files = append(files, testmedia.Shared(t, "testdata/smooth/package-mbr-mp4/BigBuckBunny_400.mp4"))
	compared := 0
	for _, f := range files {
		raw := readFile(t, f)
		lib, err := mp4.DecodeFile(mustOpen(t, f))
		if err != nil || lib.Moov == nil {
			continue
		}
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, off := find(t, raw, fmp4.TypeMoov)
			m, err := fmp4.ParseMovie(b, off)
			require.NoError(t, err)
			require.Len(t, m.Tracks, len(lib.Moov.Traks))
			for i, trak := range lib.Moov.Traks {
				compareTrack(t, trak, &m.Tracks[i])
				compared += int(m.Tracks[i].Samples.Len())
			}
		})
	}
	require.Greater(t, compared, 2000)
}

func compareTrack(t *testing.T, lib *mp4.TrakBox, got *fmp4.Track) {
	t.Helper()
	require.Equal(t, lib.Tkhd.TrackID, got.ID)
	require.Equal(t, lib.Mdia.Mdhd.Timescale, got.Timescale)
	require.Equal(t, lib.Mdia.Hdlr.HandlerType, got.Handler.String())
	stbl := lib.Mdia.Minf.Stbl
	if stbl.Stsz == nil {
		require.Zero(t, got.Samples.Len())
		return
	}
	n := stbl.Stsz.GetNrSamples()
	require.Equal(t, n, got.Samples.Len())
	c := got.Samples.At(0)
	for i := uint32(1); i <= n; i++ {
		s, ok := c.Next()
		require.True(t, ok)
		dts, dur := stbl.Stts.GetDecodeTime(i)
		require.Equal(t, dts, s.DTS)
		require.Equal(t, dur, s.Duration)
		require.Equal(t, stbl.Stsz.GetSampleSize(int(i)), s.Size)
		if stbl.Ctts != nil {
			require.Equal(t, stbl.Ctts.GetCompositionTimeOffset(i), s.CTS)
		}
		require.Equal(t, stbl.Stss == nil || stbl.Stss.IsSyncSample(i), s.Sync)
		off, err := libraryOffset(stbl, i)
		require.NoError(t, err)
		require.EqualValues(t, off, s.Offset)
		at := got.Samples.At(i - 1)
		again, _ := at.Next()
		require.Equal(t, s, again)
	}
}

// libraryOffset returns where a sample is by the library's reading of stsc, stco and stsz.
func libraryOffset(stbl *mp4.StblBox, nr uint32) (uint64, error) {
	chunk, first, err := stbl.Stsc.ChunkNrFromSampleNr(int(nr))
	if err != nil {
		return 0, err
	}
	var off uint64
	if stbl.Co64 != nil {
		off, err = stbl.Co64.GetOffset(chunk)
	} else {
		off, err = stbl.Stco.GetOffset(chunk)
	}
	for i := first; i < int(nr); i++ {
		off += uint64(stbl.Stsz.GetSampleSize(i))
	}
	return off, err
}

func mustOpen(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}
