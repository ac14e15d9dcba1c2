package fmp4_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// useMoof runs everything that takes a moof box over one and checks what must hold of the results.
func useMoof(t testing.TB, raw []byte) {
	t.Helper()
	fmp4.MoofSize(raw)
	head, inspectErr := fmp4.Inspect(raw, 0, fmp4.Defaults{})
	m, err := fmp4.ParseMoof(raw, 1000)
	if err != nil {
		require.False(t, inspectErr == nil && head.Plain, "plain, but %v", err)
		_, err = fmp4.Retime(nil, raw, 5)
		require.Error(t, err)
		return
	}
	require.NoError(t, inspectErr)
	for i := range m.Trafs {
		spans, err := m.Spans(nil, i, noDefaults)
		if err != nil {
			continue
		}
		var sum uint64
		for _, s := range spans {
			require.True(t, s.Offset >= 0 && s.Size > 0, "%v", spans)
			sum += uint64(s.Size)
		}
		_, size := m.Trafs[i].Totals(fmp4.Defaults{})
		require.Equal(t, size, sum)
	}
	useSmooth(t, raw, m, head)
	useHeads(t, raw, m)
}

// useSmooth checks AppendSmooth and Retime: the same samples, in the safe order, at the same place of the data.
func useSmooth(t testing.TB, raw []byte, m *fmp4.Moof, head fmp4.Head) {
	t.Helper()
	for _, retime := range []bool{false, true} {
		out, err := fmp4.AppendSmooth(nil, raw, 5, 6)
		if retime {
			out, err = fmp4.Retime(nil, raw, 5)
		}
		if err != nil {
			require.Empty(t, out)
			continue
		}
		got, err := fmp4.Inspect(out, 0, fmp4.Defaults{})
		require.NoError(t, err)
		require.Equal(t, len(out), got.Size)
		require.True(t, got.Ordered && got.HasTfxd)
		require.EqualValues(t, 5, got.Time)
		if head.Plain {
			require.True(t, got.Plain)
		}
		n, err := fmp4.ParseMoof(out, 0)
		require.NoError(t, err)
		require.Len(t, n.Trafs, 1)
		requireSameSamples(t, &m.Trafs[0], &n.Trafs[0])
		if head.Plain {
			spans, err := n.Spans(nil, 0, noDefaults)
			require.NoError(t, err)
			require.LessOrEqual(t, len(spans), 1)
			for _, s := range spans {
				require.EqualValues(t, len(out)+8, s.Offset)
			}
		}
	}
}

func requireSameSamples(t testing.TB, want, got *fmp4.Traf) {
	t.Helper()
	a, b := want.Samples(fmp4.Defaults{}), got.Samples(fmp4.Defaults{})
	for {
		x, more := a.Next()
		y, ok := b.Next()
		require.Equal(t, more, ok)
		if !more {
			return
		}
		if x != y {
			require.Equal(t, x, y)
		}
	}
}

// useHeads checks AppendCMAFHead and AppendKeyFrames.
func useHeads(t testing.TB, raw []byte, m *fmp4.Moof) {
	t.Helper()
	if len(m.Trafs) != 1 {
		return
	}
	_, size := m.Trafs[0].Totals(fmp4.Defaults{})
	if out, err := fmp4.AppendCMAFHead(nil, raw, 77, size); err == nil {
		n, err := fmp4.ParseMoof(out, 0)
		require.NoError(t, err)
		require.Equal(t, len(out)-8, n.Size)
		require.EqualValues(t, 77, n.Trafs[0].DecodeTime)
		requireSameSamples(t, &m.Trafs[0], &n.Trafs[0])
	}
	out, spans, err := fmp4.AppendKeyFrames(nil, raw, int64(size))
	if err != nil {
		return
	}
	n, err := fmp4.ParseMoof(out, 0)
	require.NoError(t, err)
	_, kept := n.Trafs[0].Totals(fmp4.Defaults{})
	var end, sum int64
	for _, s := range spans {
		require.GreaterOrEqual(t, s.Offset, end)
		end, sum = s.Offset+s.Size, sum+s.Size
	}
	require.LessOrEqual(t, end, int64(size))
	require.EqualValues(t, kept, sum)
	for _, s := range samplesOf(&n.Trafs[0], fmp4.Defaults{}) {
		require.Zero(t, s.Flags&fmp4.FlagNonSync)
	}
}
