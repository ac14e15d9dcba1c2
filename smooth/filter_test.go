package smooth_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const second = smooth.DefaultTimescale

// shown describes a manifest in one line: streams with bit rates and the times of their first and last fragment in
// seconds.
func shown(m *smooth.Manifest) string {
	out := ""
	for _, s := range m.Streams {
		out += s.Name + "("
		for i, l := range s.Levels {
			if i > 0 {
				out += ","
			}
			out += fmt.Sprint(l.Bitrate / 1000)
		}
		scale := m.TimescaleOf(s)
		out += fmt.Sprintf(")%d-%d ", s.Timeline.Start()/scale, s.Timeline.End()/scale)
	}
	return out
}

func TestFilterShows(t *testing.T) {
	const rest = "audio_eng(96)0-30 audio_fra(96)0-30 text_eng(1)0-30 "
	tests := []struct {
		name   string
		filter smooth.Filter
		want   string
	}{
		{"max bit rate", smooth.Filter{Video: smooth.BitrateRange{Max: 1_200_000}}, "video(1200,400)0-30 " + rest},
		{"min bit rate", smooth.Filter{Video: smooth.BitrateRange{Min: 1_200_000}}, "video(3000,1200)0-30 " + rest},
		{"all above the range keeps the lowest", smooth.Filter{Video: smooth.BitrateRange{Max: 1}}, "video(400)0-30 " + rest},
		{"all below the range keeps the best", smooth.Filter{Video: smooth.BitrateRange{Min: 9_000_000}}, "video(3000)0-30 " + rest},
		{"range between levels keeps the best below", smooth.Filter{Video: smooth.BitrateRange{Min: 1_300_000, Max: 2_000_000}}, "video(1200)0-30 " + rest},
		{"height", smooth.Filter{MaxHeight: 360}, "video(1200,400)0-30 " + rest},
		{"width too small for all", smooth.Filter{MaxWidth: 10}, "video(400)0-30 " + rest},
		{"types", smooth.Filter{Types: []smooth.StreamType{smooth.Audio}}, "audio_eng(96)0-30 audio_fra(96)0-30 "},
		{"names", smooth.Filter{Names: []string{"VIDEO", "text_eng"}}, "video(3000,1200,400)0-30 text_eng(1)0-30 "},
		{"audio name", smooth.Filter{AudioNames: []string{"audio_fra"}}, "video(3000,1200,400)0-30 audio_fra(96)0-30 text_eng(1)0-30 "},
		{"language", smooth.Filter{Languages: []string{"ENG"}}, "video(3000,1200,400)0-30 audio_eng(96)0-30 text_eng(1)0-30 "},
		{"FourCC by another name", smooth.Filter{FourCCs: []string{"avc1", "mp4a"}}, "video(3000,1200,400)0-30 audio_eng(96)0-30 audio_fra(96)0-30 "},
		{"first quality", smooth.Filter{FirstQuality: 1_500_000}, "video(1200,3000,400)0-30 " + rest},
		{"first quality below all", smooth.Filter{FirstQuality: 1}, "video(400,3000,1200)0-30 " + rest},
		{"sub-clip keeps what overlaps", smooth.Filter{Start: smooth.AtOffset(5 * time.Second), End: smooth.AtTicks(9*second, 0)},
			"video(3000,1200,400)4-10 audio_eng(96)4-10 audio_fra(96)4-10 text_eng(1)0-10 "},
		{"end is exclusive", smooth.Filter{Start: smooth.AtTicks(4, 1), End: smooth.AtTicks(10, 1)},
			"video(3000,1200,400)4-10 audio_eng(96)4-10 audio_fra(96)4-10 text_eng(1)0-10 "},
		{"open end", smooth.Filter{Start: smooth.AtTicks(29, 1)},
			"video(3000,1200,400)28-30 audio_eng(96)28-30 audio_fra(96)28-30 text_eng(1)20-30 "},
		{"window and backoff are for live", smooth.Filter{Window: time.Second, Backoff: time.Second}, "video(3000,1200,400)0-30 " + rest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := smoothtest.New(smoothtest.Default())
			before, err := base.Snapshot(t.Context())
			require.NoError(t, err)
			was := shown(before.Manifest)
			p, err := smooth.NewFiltered(t.Context(), base, tt.filter)
			require.NoError(t, err)
			s, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.want, shown(s.Manifest))
			assert.Equal(t, was, shown(before.Manifest), "the base is untouched")
			assert.NotEqual(t, before.Validator, s.Validator)
			assert.Len(t, s.Edges, len(s.Manifest.Streams))
			for _, st := range s.Manifest.Streams {
				assert.Equal(t, len(st.Timeline), int(st.DeclaredChunks))
				for i, l := range st.Levels {
					assert.Equal(t, i, int(l.Index))
				}
			}
			requireFragments(t, p, s)
		})
	}
}

// requireFragments fetches every fragment that a snapshot lists.
func requireFragments(t *testing.T, p smooth.Presentation, s *smooth.Snapshot) {
	t.Helper()
	for _, st := range s.Manifest.Streams {
		for _, l := range st.Levels {
			for _, c := range st.Timeline {
				k := smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate, Time: c.Time}
				f, err := p.Fragment(t.Context(), k)
				require.NoError(t, err)
				require.Equal(t, c.Duration, f.Duration)
				require.NoError(t, f.Close())
				require.NotNil(t, s.Track(k))
			}
		}
	}
}

func TestFilterDuration(t *testing.T) {
	base := smoothtest.New(smoothtest.Default())
	p, err := smooth.NewFiltered(t.Context(), base, smooth.Filter{
		Types: []smooth.StreamType{smooth.Video}, Start: smooth.AtTicks(5, 1), End: smooth.AtTicks(9, 1)})
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 6*second, s.Manifest.Duration, "from 4 to 10 s")
}

func TestFilterResizesStream(t *testing.T) {
	c := smoothtest.Default()
	p, err := smooth.NewFiltered(t.Context(), smoothtest.New(c), smooth.Filter{MaxHeight: 400})
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	v := s.Manifest.Stream("video")
	assert.Equal(t, []uint32{640, 360, 640, 360}, []uint32{v.MaxWidth, v.MaxHeight, v.DisplayWidth, v.DisplayHeight})
}

func TestFilterRefuses(t *testing.T) {
	tests := []struct {
		name   string
		filter smooth.Filter
		want   error
	}{
		{"no stream", smooth.Filter{Names: []string{"nobody"}}, smooth.ErrNotFound},
		{"no type at all", smooth.Filter{Types: []smooth.StreamType{}}, smooth.ErrNotFound},
		{"no fragment", smooth.Filter{Start: smooth.AtTicks(31, 1)}, smooth.ErrNotFound},
		{"empty span", smooth.Filter{Start: smooth.AtTicks(5, 1), End: smooth.AtTicks(5, 1)}, smooth.ErrBadRequest},
		{"no clock", smooth.Filter{Start: smooth.AtWall(time.Unix(1e9, 0))}, smooth.ErrBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := smoothtest.New(smoothtest.Default())
			_, err := smooth.NewFiltered(t.Context(), base, tt.filter)
			assert.ErrorIs(t, err, tt.want)
			assert.Zero(t, base.Closed())
		})
	}
}

func TestFilteredHidesFragments(t *testing.T) {
	base := smoothtest.New(smoothtest.Default())
	p, err := smooth.NewFiltered(t.Context(), base, smooth.Filter{
		Video: smooth.BitrateRange{Max: 1_200_000}, AudioNames: []string{"audio_eng"},
		Start: smooth.AtTicks(5, 1), End: smooth.AtTicks(9, 1)})
	require.NoError(t, err)
	tests := []struct {
		key  smooth.FragmentKey
		want error
	}{
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 4 * second}, nil},
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 8 * second}, nil},
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 2 * second}, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 10 * second}, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 6*second + 1}, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "video", Bitrate: 3_000_000, Time: 4 * second}, smooth.ErrNotFound},
		{smooth.FragmentKey{Stream: "audio_fra", Bitrate: 96_000, Time: 4 * second}, smooth.ErrNotFound},
	}
	for _, tt := range tests {
		f, err := p.Fragment(t.Context(), tt.key)
		assert.ErrorIs(t, err, tt.want, "%+v", tt.key)
		if err == nil {
			require.NoError(t, f.Close())
		}
	}
	size, err := p.(smooth.Sizer).FragmentSize(tests[0].key)
	require.NoError(t, err)
	assert.Positive(t, size)
	require.NoError(t, p.Close())
	assert.Equal(t, 1, base.Closed())
	assert.Zero(t, base.OpenFragments())
}

// plain hides the optional interfaces.
type plain struct{ smooth.Presentation }

func TestFilteredKeepsCapabilities(t *testing.T) {
	base := smoothtest.New(smoothtest.Default())
	f := smooth.Filter{MaxHeight: 400}
	p, err := smooth.NewFiltered(t.Context(), base, f)
	require.NoError(t, err)
	assert.Implements(t, (*smooth.Waiter)(nil), p)
	assert.Implements(t, (*smooth.Sizer)(nil), p)
	p, err = smooth.NewFiltered(t.Context(), plain{base}, f)
	require.NoError(t, err)
	_, isWaiter := p.(smooth.Waiter)
	_, isSizer := p.(smooth.Sizer)
	assert.False(t, isWaiter || isSizer)
	p, err = smooth.NewFiltered(t.Context(), base, smooth.Filter{})
	require.NoError(t, err)
	assert.Same(t, base, p, "nothing to filter")
}

func liveConfig() smoothtest.Config {
	c := smoothtest.Default()
	c.Live, c.Lookahead, c.Wall = true, 2, time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	for i := range c.Streams {
		c.Streams[i].Durations = smoothtest.Repeat(10, 2*second)
	}
	return c
}

func TestFilterLive(t *testing.T) {
	wall := liveConfig().Wall
	tests := []struct {
		name   string
		filter smooth.Filter
		first  string // after 10 fragments, 8 of them listed
		later  string // after 14
		ended  bool   // then
	}{
		{"start only", smooth.Filter{Start: smooth.AtTicks(4, 1)}, "4-16", "4-24", false},
		{"end reached later", smooth.Filter{Start: smooth.AtTicks(4, 1), End: smooth.AtTicks(19, 1)}, "4-16", "4-20", true},
		{"wall clock", smooth.Filter{Start: smooth.AtWall(wall.Add(5 * time.Second)), End: smooth.AtWall(wall.Add(12 * time.Second))}, "4-12", "4-12", true},
		{"wall clock before the start", smooth.Filter{Start: smooth.AtWall(wall.Add(-time.Hour))}, "0-16", "0-24", false},
		{"window", smooth.Filter{Window: 6 * time.Second}, "10-16", "18-24", false},
		{"backoff", smooth.Filter{Backoff: 3 * time.Second}, "0-14", "0-22", false},
		{"window and backoff", smooth.Filter{Window: 4 * time.Second, Backoff: 4 * time.Second}, "8-12", "16-20", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := smoothtest.New(liveConfig())
			p, err := smooth.NewFiltered(t.Context(), base, tt.filter)
			require.NoError(t, err)
			s, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			assert.Contains(t, shown(s.Manifest), "video(3000,1200,400)"+tt.first+" ")
			again, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			assert.Same(t, s, again, "made once per snapshot of the base")

			base.Append(4)
			<-s.Superseded()
			s2, err := p.Snapshot(t.Context())
			require.NoError(t, err)
			assert.Contains(t, shown(s2.Manifest), "video(3000,1200,400)"+tt.later+" ")
			assert.Equal(t, tt.ended, s2.Ended)
			assert.Equal(t, !tt.ended, s2.Manifest.IsLive)
			assert.Equal(t, tt.ended, s2.Manifest.Duration > 0)
			requireFragments(t, p, s2)
		})
	}
}

func TestFilterLiveFragments(t *testing.T) {
	base := smoothtest.New(liveConfig())
	key := func(sec uint64) smooth.FragmentKey {
		return smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: sec * second}
	}
	p, err := smooth.NewFiltered(t.Context(), base, smooth.Filter{Start: smooth.AtTicks(4, 1), End: smooth.AtTicks(24, 1)})
	require.NoError(t, err)
	_, err = p.Fragment(t.Context(), key(20))
	assert.ErrorIs(t, err, smooth.ErrNotYet, "it will come")
	_, err = p.Fragment(t.Context(), key(24))
	assert.ErrorIs(t, err, smooth.ErrNotFound, "it will never be shown")
	assert.ErrorIs(t, p.(smooth.Waiter).Wait(t.Context(), key(24)), smooth.ErrNotFound)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.(smooth.Waiter).Wait(ctx, key(20)) }()
	base.Append(1)
	assert.NoError(t, <-done)
	cancel()

	p, err = smooth.NewFiltered(t.Context(), base, smooth.Filter{Backoff: 4 * time.Second})
	require.NoError(t, err)
	_, err = p.Fragment(t.Context(), key(16))
	assert.ErrorIs(t, err, smooth.ErrNotYet)
	_, err = smooth.NewFiltered(t.Context(), base, smooth.Filter{Start: smooth.AtTicks(1000, 1)})
	assert.ErrorIs(t, err, smooth.ErrNotYet)
}

func TestFilterIntersection(t *testing.T) {
	a := smooth.Filter{Video: smooth.BitrateRange{Max: 2_000_000}, Start: smooth.AtTicks(5, 1)}
	b := smooth.Filter{Video: smooth.BitrateRange{Min: 1_000_000}, Languages: []string{"fra"}, Start: smooth.AtTicks(9, 1), End: smooth.AtTicks(20, 1)}
	var validators []string
	for _, list := range [][]smooth.Filter{{a, b}, {b, a}, {b, a, a}} {
		p, err := smooth.NewFiltered(t.Context(), smoothtest.New(smoothtest.Default()), list...)
		require.NoError(t, err)
		s, err := p.Snapshot(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "video(1200)8-20 audio_fra(96)8-20 ", shown(s.Manifest))
		validators = append(validators, s.Validator)
	}
	assert.Len(t, slices.Compact(validators), 1, "neither order nor repetition matters")
}

func TestFilterKeepsSparseWithParent(t *testing.T) {
	c := smoothtest.Default()
	c.Streams = append(c.Streams, smoothtest.Stream{
		Type: smooth.Text, Name: "ads", Parent: "video", Durations: smoothtest.Repeat(2, 10*second),
		Levels: []smoothtest.Level{{Bitrate: 0}}})
	base := smoothtest.New(c)
	p, err := smooth.NewFiltered(t.Context(), base, smooth.Filter{Names: []string{"audio_eng", "ads"}})
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "audio_eng(96)0-30 ", shown(s.Manifest), "no child without its parent")
}

// embedded is a presentation whose text stream has its fragments in the manifest.
type embedded struct{ smooth.Presentation }

func (e embedded) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	m := &smooth.Manifest{Streams: []*smooth.Stream{{
		Type: smooth.Text, Name: "ctrl", ManifestOutput: true,
		Levels:   []*smooth.QualityLevel{{Index: 0, Bitrate: 10}, {Index: 1, Bitrate: 20}},
		Timeline: smooth.Timeline{{Time: 0, Duration: second}, {Time: second, Duration: second}},
		Embedded: [][]smooth.ChunkData{
			{{Level: 0, Data: []byte("a0")}, {Level: 1, Data: []byte("b0")}},
			{{Level: 0, Data: []byte("a1")}, {Level: 1, Data: []byte("b1")}}},
	}, {Type: smooth.Text, Name: "chapters", Content: []byte("<Marker/>")}}}
	return smooth.NewSnapshot(m, "v"), nil
}

func TestFilterEmbeddedText(t *testing.T) {
	p, err := smooth.NewFiltered(t.Context(), embedded{}, smooth.Filter{Text: smooth.BitrateRange{Min: 20}, Start: smooth.AtTicks(1, 1)})
	require.NoError(t, err)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Manifest.Streams, 2)
	assert.Equal(t, [][]smooth.ChunkData{{{Level: 0, Data: []byte("b1")}}}, s.Manifest.Streams[0].Embedded)
	assert.NotEmpty(t, s.Manifest.Streams[1].Content, "embedded text has no levels and stays")
}

func TestFilterKey(t *testing.T) {
	expr := func(s string) smooth.TrackExpr {
		e, err := smooth.ParseTrackExpr(s)
		require.NoError(t, err)
		return e
	}
	same := [][]smooth.Filter{
		{{Types: []smooth.StreamType{"audio", "text"}}, {Types: []smooth.StreamType{"TextStream", "Audio", "text"}}, {Tracks: expr(`type=="text"||type=="audio"`)}},
		{{Start: smooth.AtTicks(100, 10)}, {Start: smooth.AtOffset(10 * time.Second)}},
		{{FourCCs: []string{"H264"}}, {FourCCs: []string{"avc1", "X264"}}},
		{{}, {Tracks: expr("true")}},
	}
	seen := map[string]int{}
	for i, list := range same {
		key := list[0].Key()
		for _, f := range list {
			assert.Equal(t, key, f.Key())
		}
		_, dup := seen[key]
		assert.False(t, dup, key)
		seen[key] = i
	}
	empty := smooth.Filter{}
	assert.Empty(t, empty.Key())
}

func ExampleNewFiltered() {
	p := smoothtest.New(smoothtest.Default())
	mobile := smooth.Filter{Video: smooth.BitrateRange{Max: 1_500_000}, Languages: []string{"en"}}
	clip := smooth.Filter{Start: smooth.AtOffset(10 * time.Second), End: smooth.AtOffset(20 * time.Second)}
	f, err := smooth.NewFiltered(context.Background(), p, mobile, clip)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := f.Snapshot(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, st := range s.Manifest.Streams {
		fmt.Println(st.Name, len(st.Levels), "levels", len(st.Timeline), "fragments from", st.Timeline.Start()/smooth.DefaultTimescale, "s")
	}
	// Output:
	// video 2 levels 5 fragments from 10 s
	// audio_eng 1 levels 5 fragments from 10 s
	// text_eng 1 levels 1 fragments from 10 s
}
