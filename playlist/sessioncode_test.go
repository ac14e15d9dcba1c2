package playlist

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sessionEpoch = time.Date(2026, 3, 1, 20, 15, 0, 123_456_789, time.UTC)

// codedSessions are sessions that between them use every field.
func codedSessions() map[string]*Session {
	full := HalfPlayedSession(sessionEpoch)
	full.ID = ID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}
	full.viewer.Nested = []string{"12.1", "12.2", "12.3.1"}
	full.viewer.At = path{12, 3, 2}
	full.stitched = viewer{At: path{2}, Done: []uint64{1, 0, math.MaxUint64}, States: []progress{
		{Entry: "2", Began: sessionEpoch.Add(-time.Nanosecond), Spans: []span{{5, 6}, {7, math.MaxInt64}}},
		{Entry: "3", Size: math.MaxInt64, Began: sessionEpoch},
	}}
	full.lists = []openList{{"12", "/evening/ads.isx", "abc"}, {"12.3", "/evening/more/ü.isx", ""}}
	odd := &Session{
		Playlist: strings.Repeat("x", MaxValue), Created: time.Time{}, Used: sessionEpoch,
		TimeToLive: math.MinInt64, InactivityTimeout: math.MaxInt64, Client: "\xff\x00",
	}
	return map[string]*Session{"zero": {}, "half played": HalfPlayedSession(sessionEpoch), "full": full, "odd": odd}
}

func TestSessionCode(t *testing.T) {
	for name, s := range codedSessions() {
		t.Run(name, func(t *testing.T) {
			data, err := s.AppendBinary([]byte("before"))
			require.NoError(t, err)
			data, found := bytes.CutPrefix(data, []byte("before"))
			require.True(t, found, "must append")
			got := Session{Client: "must be replaced", viewer: viewer{At: path{9}}}
			require.NoError(t, got.UnmarshalBinary(data))
			assert.Equal(t, *s, got)
			clear(data)
			assert.Equal(t, *s, got, "must not alias the record")
		})
	}
}

// Every part of a record and every record with more behind it are errors, and leave the session as it was.
func TestSessionCodeTruncated(t *testing.T) {
	for name, s := range codedSessions() {
		data, err := s.AppendBinary(nil)
		require.NoError(t, err)
		step := 1 + len(data)/4096
		for n := 0; n < len(data); n += step {
			got := Session{Client: "as it was"}
			require.Errorf(t, got.UnmarshalBinary(data[:n]), "%s: %d of %d bytes", name, n, len(data))
			require.Equal(t, Session{Client: "as it was"}, got)
		}
		assert.Error(t, new(Session).UnmarshalBinary(append(data, 0)), name)
	}
}

// A record that has been written once can be read by later versions: change the version with the form.
func TestSessionCodeStable(t *testing.T) {
	const record = "01" + "0102030405064708890a0b0c0d0e0f10" + "062f612e697378" + "0176" + "0163" + // to Client
		"88f9a49a0d" + "00" + "3c" + "01" + "8080c58bc6d101" + "80e0ba84bf03" + // times
		"02" + "05" + "01" + "01" + "0e07" + "01" + "03" + "01" + "03342e31" + // viewer: At, Last, Done, Nested
		"01" + "0135" + "64" + "04" + "0a" + "8090dfc04a" + "01" + "14" + "05" + // States
		"0000000000" + "00" // stitched, lists
	data, err := hex.DecodeString(record)
	require.NoError(t, err)
	var s Session
	require.NoError(t, s.UnmarshalBinary(data))
	want := Session{
		ID:       ID{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16},
		Playlist: "/a.isx", Version: "v", Client: "c",
		Created: time.Date(2026, 3, 1, 20, 15, 0, 0, time.UTC), Used: time.Date(2026, 3, 1, 20, 15, 30, 1, time.UTC),
		TimeToLive: time.Hour, InactivityTimeout: time.Minute,
		viewer: viewer{At: path{5, 1}, Last: time.Date(2026, 3, 1, 20, 15, 7, 7, time.UTC), Done: []uint64{3}, Nested: []string{"4.1"}, States: []progress{
			{Entry: "5", Size: 100, Began: time.Date(2026, 3, 1, 20, 15, 2, 10, time.UTC), Plays: 10 * time.Second, Spans: []span{{20, 25}}},
		}},
	}
	written, err := want.AppendBinary(nil)
	require.NoError(t, err)
	assert.Equal(t, record, hex.EncodeToString(written))
	assert.Equal(t, want, s)
}

func TestSessionCodeLimits(t *testing.T) {
	for name, s := range map[string]*Session{
		"client":         {Client: strings.Repeat("x", MaxValue+1)},
		"path":           {viewer: viewer{At: make(path, maxSessionDepth+1)}},
		"entry 0":        {viewer: viewer{At: path{0}}},
		"entry":          {viewer: viewer{At: path{MaxEntries + 1}}},
		"done":           {viewer: viewer{Done: make([]uint64, maxDoneWords+1)}},
		"nested":         {viewer: viewer{Nested: make([]string, maxNested+1)}},
		"states":         {stitched: viewer{States: make([]progress, maxStates+1)}},
		"spans":          {viewer: viewer{States: []progress{{Spans: make([]span, maxSpans+1)}}}},
		"empty span":     {viewer: viewer{States: []progress{{Spans: []span{{3, 3}}}}}},
		"negative span":  {viewer: viewer{States: []progress{{Spans: []span{{-3, 3}}}}}},
		"order of spans": {viewer: viewer{States: []progress{{Spans: []span{{3, 5}, {4, 8}}}}}},
		"size":           {viewer: viewer{States: []progress{{Size: -1}}}},
		"lists":          {lists: make([]openList, maxOpenLists+1)},
		"text of a list": {lists: []openList{{Playlist: strings.Repeat("x", MaxValue+1)}}},
		"all":            {lists: slicesOf(20, openList{Playlist: strings.Repeat("x", MaxValue)})},
	} {
		data, err := s.AppendBinary([]byte("before"))
		assert.Error(t, err, name)
		assert.Equal(t, "before", string(data), name)
	}
}

func slicesOf[T any](n int, v T) (list []T) {
	for range n {
		list = append(list, v)
	}
	return list
}

// What a record says of its counts and lengths does not size anything: records of a few bytes that claim much are
// refused before memory is taken.
func TestSessionCodeLies(t *testing.T) {
	head := append([]byte{sessionVersion}, make([]byte, 16)...)
	zeros := func(n int) []byte { return make([]byte, n) }
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	const fixed = 3 + 2 + 2 + 2 // strings, times and durations of a zero session
	for name, data := range map[string][]byte{
		"text":            append(head, huge...),
		"path":            append(append(head, zeros(fixed)...), huge...),
		"done":            append(append(head, zeros(fixed+2)...), huge...),
		"nested":          append(append(head, zeros(fixed+3)...), huge...),
		"states":          append(append(head, zeros(fixed+4)...), huge...),
		"lists":           append(append(head, zeros(fixed+10)...), huge...),
		"lists, one":      append(append(head, zeros(fixed+10)...), 1),
		"above 64 bits":   append(head, bytes.Repeat([]byte{0xff}, 11)...),
		"version":         append([]byte{sessionVersion + 1}, zeros(16+fixed+11)...),
		"nothing":         nil,
		"too large":       make([]byte, maxSessionBytes+1),
		"2e9 nanoseconds": append(append(head, zeros(4)...), 0x80, 0xa8, 0xd6, 0xb9, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		data = bytes.Clone(data)
		allocs := testing.AllocsPerRun(1, func() { assert.Error(t, new(Session).UnmarshalBinary(data), name) })
		assert.Less(t, allocs, 100.0, name)
	}
	var s Session
	require.NoError(t, s.UnmarshalBinary(append(head, zeros(fixed+11)...)), "the same without a lie")
}

func FuzzSession(f *testing.F) {
	for _, s := range codedSessions() {
		if len(s.Playlist) > 1000 {
			continue // slow to mutate
		}
		data, err := s.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(data)
		f.Add(data[:len(data)/2])
		f.Add(append(data, data...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Session
		if s.UnmarshalBinary(data) != nil {
			require.Equal(t, Session{}, s)
			return
		}
		again, err := s.AppendBinary(nil)
		require.NoError(t, err, "what is read can be written")
		require.LessOrEqual(t, len(again), len(data), "numbers have no shorter form than the one written")
		var second Session
		require.NoError(t, second.UnmarshalBinary(again))
		require.Equal(t, s, second)
	})
}

func BenchmarkSessionAppendBinary(b *testing.B) {
	s := HalfPlayedSession(sessionEpoch)
	var data []byte
	b.ReportAllocs()
	for b.Loop() {
		data, _ = s.AppendBinary(data[:0])
	}
	b.ReportMetric(float64(len(data)), "B/record")
}

func BenchmarkSessionUnmarshalBinary(b *testing.B) {
	data, err := HalfPlayedSession(sessionEpoch).AppendBinary(nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		var s Session
		if err := s.UnmarshalBinary(data); err != nil {
			b.Fatal(err)
		}
	}
}
