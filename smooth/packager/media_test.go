package packager_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// sample is what counts about a sample: when it is shown, in ticks of 10 MHz, whether it is a sync sample, and a hash
// of its bytes.
type sample struct {
	pts  int64
	sync bool
	hash uint64
}

func (s sample) String() string { return fmt.Sprintf("%d %v %x", s.pts, s.sync, s.hash) }

func hash(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// source reads the samples of a progressive file with mp4ff, independently of the code under test. handler is vide or
// soun. Presentation times follow the edit list.
func source(t testing.TB, path, handler string) []sample {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := mp4.DecodeFile(bytes.NewReader(raw))
	require.NoError(t, err)
	for _, trak := range f.Moov.Traks {
		if trak.Mdia.Hdlr.HandlerType != handler {
			continue
		}
		var shift int64
		if trak.Edts != nil {
			for _, e := range trak.Edts.Elst[0].Entries {
				if e.MediaTime >= 0 {
					shift -= e.MediaTime
					break
				}
				shift += int64(e.SegmentDuration) * int64(trak.Mdia.Mdhd.Timescale) / int64(f.Moov.Mvhd.Timescale)
			}
		}
		n := trak.GetNrSamples()
		meta, err := trak.GetSampleData(1, n)
		require.NoError(t, err)
		ranges, err := trak.GetRangesForSampleInterval(1, n)
		require.NoError(t, err)
		var data []byte
		for _, r := range ranges {
			data = append(data, raw[r.Offset:r.Offset+r.Size]...)
		}
		var list []sample
		var dts int64
		for i, m := range meta {
			sync := trak.Mdia.Minf.Stbl.Stss == nil || trak.Mdia.Minf.Stbl.Stss.IsSyncSample(uint32(i+1))
			list = append(list, sample{round(dts+int64(m.CompositionTimeOffset)+shift, trak.Mdia.Mdhd.Timescale), sync, hash(data[:m.Size])})
			data = data[m.Size:]
			dts += int64(m.Dur)
		}
		require.Empty(t, data)
		return list
	}
	require.Fail(t, "no track", "%s in %s", handler, path)
	return nil
}

// round converts to ticks of 10 MHz with big numbers, half up.
func round(v int64, timescale uint32) int64 {
	n := new(big.Int).Mul(big.NewInt(v), big.NewInt(2*10_000_000))
	n.Add(n, big.NewInt(int64(timescale)))
	n.Div(n, big.NewInt(2*int64(timescale))) // Euclidean, which is floor here
	return n.Int64()
}

// output reads the samples of a file that was made, and checks the file against the stream of the manifest.
func output(t testing.TB, path string, stream *smooth.Stream) []sample {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := mp4.DecodeFile(bytes.NewReader(raw))
	require.NoError(t, err)
	assert.Equal(t, "isml", f.Ftyp.MajorBrand())
	trak := f.Moov.Trak
	assert.EqualValues(t, 10_000_000, trak.Mdia.Mdhd.Timescale)
	assert.EqualValues(t, stream.Timeline.End(), f.Moov.Mvex.Mehd.FragmentDuration)
	require.Len(t, f.Mfra.Tfras, 1)
	entries := f.Mfra.Tfra.Entries
	require.Len(t, entries, len(stream.Timeline))
	var fragments []*mp4.Fragment
	for _, s := range f.Segments {
		fragments = append(fragments, s.Fragments...)
	}
	require.Len(t, fragments, len(stream.Timeline))
	var list []sample
	for i, fr := range fragments {
		c := stream.Timeline[i]
		require.Equal(t, c.Time, entries[i].Time)
		require.Equal(t, fr.Moof.StartPos, entries[i].MoofOffset)
		require.EqualValues(t, i+1, fr.Moof.Mfhd.SequenceNumber)
		list = append(list, fragment(t, fr, c)...)
	}
	return list
}

func fragment(t testing.TB, fr *mp4.Fragment, c smooth.Chunk) []sample {
	t.Helper()
	traf := fr.Moof.Traf
	require.Len(t, fr.Moof.Trafs, 1)
	require.Len(t, traf.Truns, 1)
	var tfxd *mp4.TfxdData
	for _, b := range traf.Children {
		if u, ok := b.(*mp4.UUIDBox); ok && u.Tfxd != nil {
			tfxd = u.Tfxd
		}
	}
	require.NotNil(t, tfxd)
	require.Equal(t, c, smooth.Chunk{Time: tfxd.FragmentAbsoluteTime, Duration: tfxd.FragmentAbsoluteDuration})
	traf.Trun.AddSampleDefaultValues(traf.Tfhd, nil)
	require.EqualValues(t, fr.Moof.Size()+8, traf.Trun.DataOffset)
	dts, data := c.Time, fr.Mdat.Data
	var list []sample
	for _, s := range traf.Trun.Samples {
		require.GreaterOrEqual(t, s.CompositionTimeOffset, int32(0))
		list = append(list, sample{int64(dts) + int64(s.CompositionTimeOffset), s.IsSync(), hash(data[:s.Size])})
		data = data[s.Size:]
		dts += uint64(s.Dur)
	}
	require.Equal(t, c.End(), dts, "durations of the fragment at %d", c.Time)
	require.Empty(t, data)
	return list
}

// trackFile finds the file of a level in the server manifest.
func trackFile(t testing.TB, res *packager.Result, dir, stream string, bitrate uint64) string {
	t.Helper()
	for i := range res.Server.Tracks {
		if tr := &res.Server.Tracks[i]; tr.Name() == stream && tr.Bitrate == bitrate {
			return filepath.Join(dir, tr.SrcPath())
		}
	}
	require.Fail(t, "no track", "%s %d", stream, bitrate)
	return ""
}

// requireShifted checks that got is want, shown shift ticks later.
func requireShifted(t testing.TB, want, got []sample, shift int64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		want[i].pts += shift
		require.Equal(t, want[i], got[i], "sample %d", i)
	}
}
