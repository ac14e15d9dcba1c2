package fmp4_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// TestTableBuilder: what is added comes out, from any sample on.
func TestTableBuilder(t *testing.T) {
	var b fmp4.TableBuilder
	var want []fmp4.TableSample
	const n = 1000
	dts, off := uint64(5000), int64(100)
	for i := range n {
		s := fmp4.TableSample{
			DTS: dts, Duration: 40 + uint32(i/100), CTS: int32(i%3 - 1), Size: uint32(i * 7 % 50), Offset: off, Sync: i%25 == 0,
		}
		require.NoError(t, b.Add(s))
		s.DTS -= 5000
		want = append(want, s)
		dts += uint64(s.Duration)
		if off += int64(s.Size); i%10 == 9 && i < 500 || i%4 == 3 && i >= 500 {
			off += 1000
		}
	}
	require.EqualValues(t, 5000, b.Start())
	require.Equal(t, dts, b.End())
	require.EqualValues(t, n, b.Len())
	table, err := b.Table()
	require.NoError(t, err)
	for _, first := range []uint32{0, 1, 9, 10, 499, 500, 503, 504, n - 1} {
		c := table.At(first)
		for i := first; i < n; i++ {
			s, ok := c.Next()
			require.True(t, ok)
			require.Equal(t, want[i], s, "sample %d", i)
		}
	}

	var gaps fmp4.TableBuilder
	for _, s := range []fmp4.TableSample{{DTS: 10, Duration: 5}, {DTS: 20, Duration: 5}, {DTS: 18, Duration: 5}, {DTS: 30, Duration: 5}} {
		require.NoError(t, gaps.Add(s))
	}
	table, err = gaps.Table()
	require.NoError(t, err)
	var durations []uint32
	c := table.At(0)
	for s, ok := c.Next(); ok; s, ok = c.Next() {
		durations = append(durations, s.Duration)
	}
	require.Equal(t, []uint32{10, 0, 10, 5}, durations)
	require.ErrorIs(t, gaps.Add(fmp4.TableSample{DTS: 1 << 40}), fmp4.ErrTooLarge)
	table, err = new(fmp4.TableBuilder).Table()
	require.NoError(t, err)
	require.Zero(t, table.Len())
}
