package smooth_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// origin says which track of which file a quality level was made of.
type origin struct {
	file string
	id   uint32
}

// TestMediaInputs opens presentations of real files in all the forms that the package promises to read, fetches every
// fragment of every level, and compares the samples with those that mp4ff finds in the file.
func TestMediaInputs(t *testing.T) {
	cases := []struct {
		name, open string
		files      map[string][]byte
		media      []string
		// want maps streams, in the order of the manifest, to the origins of their levels.
		want map[string][]origin
		log  string
	}{
		{name: "progressive file by itself", open: "av.mp4", media: []string{"av.mp4"},
			want: map[string][]origin{"video": {{"av.mp4", 1}}, "audio": {{"av.mp4", 2}}}},
		{name: "two languages in one file", open: "two.mp4", media: []string{"two.mp4"},
			want: map[string][]origin{"video": {{"two.mp4", 1}}, "audio": {{"two.mp4", 2}}, "audio_fra": {{"two.mp4", 3}}}},
		{name: "several traf boxes per moof", open: "av-frag.mp4", media: []string{"av-frag.mp4"},
			want: map[string][]origin{"video": {{"av-frag.mp4", 1}}, "audio": {{"av-frag.mp4", 2}}}},
		{name: "ismv by itself", open: "av.ismv", media: []string{"av.ismv"},
			want: map[string][]origin{"video": {{"av.ismv", 1}}, "audio": {{"av.ismv", 2}}}},
		{name: "CMAF with another timescale", open: "cmaf.mp4", media: []string{"cmaf.mp4"},
			want: map[string][]origin{"video": {{"cmaf.mp4", 1}}}},
		{name: "a moof per frame", open: "chunks.mp4", media: []string{"chunks.mp4"},
			want: map[string][]origin{"video": {{"chunks.mp4", 1}}}},
		{name: "CMAF renditions of which one has no B-frames", open: "x.ism", media: []string{"cmaf.mp4", "edit.mp4", "baseline.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("video", "baseline.mp4", 1), track("video", "edit.mp4", 2), track("video", "cmaf.mp4", 3))},
			want:  map[string][]origin{"video": {{"baseline.mp4", 1}, {"edit.mp4", 1}, {"cmaf.mp4", 1}}}},
		{name: "HEVC", open: "hevc.mp4", media: []string{"hevc.mp4"},
			want: map[string][]origin{"video": {{"hevc.mp4", 1}}}},
		{name: "fragmented HEVC", open: "hevc-frag.mp4", media: []string{"hevc-frag.mp4"},
			want: map[string][]origin{"video": {{"hevc-frag.mp4", 1}}}},
		{name: "server manifest over one ismv", open: "x.ism", media: []string{"av.ismv"},
			files: map[string][]byte{"x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1"), track("audio", "av.ismv", 16000, "trackID", "2"))},
			want:  map[string][]origin{"video": {{"av.ismv", 1}}, "audio": {{"av.ismv", 2}}}},
		{name: "Azure: no bit rates, no track ids, byte order mark", open: "x.ism", media: []string{"av.mp4", "low.mp4"},
			files: map[string][]byte{"x.ism": append([]byte("\xef\xbb\xbf"), ism(`<meta name="formats" content="mp4"/>`, track("video", "av.mp4", 0), track("video", "low.mp4", 0), track("audio", "av.mp4", 0))...)},
			want:  map[string][]origin{"video": {{"av.mp4", 1}, {"low.mp4", 1}}, "audio": {{"av.mp4", 2}}}},
		{name: "Azure: a rendition is missing", open: "x.ism", media: []string{"av.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("video", "av.mp4", 0), track("video", "gone.mp4", 0), track("audio", "av.mp4", 0))},
			want:  map[string][]origin{"video": {{"av.mp4", 1}}, "audio": {{"av.mp4", 2}}}, log: "gone.mp4"},
		{name: "languages without track names", open: "x.ism", media: []string{"two.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("video", "two.mp4", 50000, "trackID", "1"), track("audio", "two.mp4", 16000, "trackID", "2"), track("audio", "two.mp4", 16000, "trackID", "3"))},
			want:  map[string][]origin{"video": {{"two.mp4", 1}}, "audio": {{"two.mp4", 2}}, "audio_fra": {{"two.mp4", 3}}}},
		{name: "levels told apart by hardwareProfile", open: "x.ism", media: []string{"av.mp4", "low.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("video", "av.mp4", 30000, "hardwareProfile", "1000"), track("video", "low.mp4", 30000, "hardwareProfile", "2000"))},
			want:  map[string][]origin{"video": {{"av.mp4", 1}, {"low.mp4", 1}}}},
		{name: "same bit rate twice", open: "x.ism", media: []string{"av.mp4", "low.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("video", "av.mp4", 30000), track("video", "low.mp4", 30000))},
			want:  map[string][]origin{"video": {{"av.mp4", 1}}}, log: "low.mp4"},
		{name: "odd track name", open: "x.ism", media: []string{"av.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("video", "av.mp4", 30000, "trackName", "a b/(=)"))},
			want:  map[string][]origin{"a_b____": {{"av.mp4", 1}}}},
		{name: "progressive and fragmented renditions", open: "x.ism", media: []string{"av.mp4", "cmaf.mp4"},
			files: map[string][]byte{"x.ism": ism("", track("audio", "av.mp4", 16000), track("video", "cmaf.mp4", 30000))},
			want:  map[string][]origin{"video": {{"cmaf.mp4", 1}}, "audio": {{"av.mp4", 2}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := map[string][]byte{}
			for _, m := range c.media {
				files[m] = testmedia.File(t, m)
			}
			for n, b := range c.files {
				files[n] = b
			}
			src, log := source(t, tree(files), nil)
			s, got := fetchAll(t, src, c.open)
			dir := smooth.Dir(writeTree(t, files), &smooth.FileOptions{Logger: new(logs).logger()})
			defer dir.Close()
			same, again := fetchAll(t, dir, c.open)
			require.Equal(t, s.Validator, same.Validator)
			require.Equal(t, got, again, "the operating system's files give the same")
			require.Len(t, s.Manifest.Streams, len(c.want))
			for _, st := range s.Manifest.Streams {
				want := c.want[st.Name]
				require.Len(t, st.Levels, len(want), "levels of %s", st.Name)
				for i, o := range want {
					f := got[levelKey(st.Name, st.Levels[i])]
					assert.Equal(t, trackSamples(t, files[o.file], o.id), f.samples, "samples of %s", st.Name)
					assert.True(t, f.flagsOK, "fragments of %s start with a sync sample", st.Name)
					assert.LessOrEqual(t, f.overlaps, overlapsOf(o.file, st.Type))
				}
				checkTelescopes(t, st)
			}
			if c.log == "" {
				assert.Empty(t, log.String())
			} else {
				assert.Contains(t, log.String(), c.log)
			}
		})
	}
}

// overlapsOf returns how many fragments may have samples that last longer than the fragment: the first one of an ismv
// file of ffmpeg, whose priming samples come before time 0.
func overlapsOf(file string, kind smooth.StreamType) int {
	if strings.HasSuffix(file, ".ismv") && kind == smooth.Audio {
		return 1
	}
	return 0
}

// checkTelescopes requires that each chunk ends where the next one starts.
func checkTelescopes(t testing.TB, st *smooth.Stream) {
	t.Helper()
	for i := 1; i < len(st.Timeline); i++ {
		require.Equal(t, st.Timeline[i-1].End(), st.Timeline[i].Time, "%s, chunk %d", st.Name, i)
	}
}

// TestMediaOfDirectory opens a directory of MP4 files under the name of a server manifest that does not exist.
func TestMediaOfDirectory(t *testing.T) {
	files := tree(map[string][]byte{
		"Film/100%41.mp4": testmedia.File(t, "av.mp4"), "Film/100A.mp4": testmedia.File(t, "low.mp4"), "Film/notes.txt": []byte("x"),
	})
	src, _ := source(t, files, nil)
	s, got := fetchAll(t, src, "Film.ism")
	require.Len(t, s.Manifest.Streams, 2)
	video := s.Manifest.Stream("video")
	require.Len(t, video.Levels, 2)
	assert.Equal(t, trackSamples(t, testmedia.File(t, "av.mp4"), 1), got[levelKey("video", video.Levels[0])].samples)
	assert.Equal(t, trackSamples(t, testmedia.File(t, "low.mp4"), 1), got[levelKey("video", video.Levels[1])].samples)

	folded, _ := fetchAll(t, src, "FILM.ism")
	assert.Equal(t, s.Validator, folded.Validator)
	_, err := src.Open(context.Background(), "Film/notes.ism")
	assert.ErrorIs(t, err, smooth.ErrNotFound)
}

// TestMediaShown requires that renditions which differ in B-frames and timescale show the same pictures at the same time.
func TestMediaShown(t *testing.T) {
	src, _ := source(t, tree(map[string][]byte{"cmaf.mp4": testmedia.File(t, "cmaf.mp4"), "edit.mp4": testmedia.File(t, "edit.mp4"),
		"baseline.mp4": testmedia.File(t, "baseline.mp4"),
		"x.ism":        ism("", track("video", "baseline.mp4", 1), track("video", "edit.mp4", 2), track("video", "cmaf.mp4", 3))}), nil)
	p, err := src.Open(context.Background(), "x.ism")
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Snapshot(context.Background())
	require.NoError(t, err)
	for _, c := range s.Manifest.Streams[0].Timeline {
		var shown [3][]uint64
		for i := range shown {
			f, err := p.Fragment(context.Background(), smooth.FragmentKey{Stream: "video", Bitrate: uint64(i + 1), Time: c.Time})
			require.NoError(t, err)
			for sample, err := range f.Samples() {
				require.NoError(t, err)
				shown[i] = append(shown[i], sample.DTS+uint64(sample.CTS))
			}
			f.Close()
			slices.Sort(shown[i])
		}
		require.Len(t, shown[0], 25)
		assert.Equal(t, shown[0], shown[1])
		assert.Equal(t, shown[0], shown[2])
	}
}

// TestMediaTimes checks times where the file has others than the manifest.
func TestMediaTimes(t *testing.T) {
	files := map[string][]byte{}
	for _, n := range []string{"cmaf.mp4", "av.ismv", "av-frag.mp4", "av.mp4"} {
		files[n] = testmedia.File(t, n)
	}
	src, _ := source(t, tree(files), nil)
	timeline := func(name, stream string) smooth.Timeline {
		p, err := src.Open(context.Background(), name)
		require.NoError(t, err)
		defer p.Close()
		s, err := p.Snapshot(context.Background())
		require.NoError(t, err)
		return s.Manifest.Stream(stream).Timeline
	}
	second := uint64(smooth.DefaultTimescale)
	cmaf := timeline("cmaf.mp4", "video")
	require.Len(t, cmaf, 6)
	for i, c := range cmaf {
		assert.Equal(t, smooth.Chunk{Time: uint64(i) * second, Duration: second}, c, "1 s fragments of a timescale of 12800")
	}
	ismv := timeline("av.ismv", "audio")
	assert.Equal(t, uint64(0), ismv[0].Time, "-1024 samples count as 0")
	assert.Equal(t, timeline("av-frag.mp4", "video")[0].Time, timeline("av-frag.mp4", "audio")[0].Time, "both start at 0, without edit lists")
	progressive := timeline("av.mp4", "video")
	assert.Equal(t, 2*second, progressive[0].Duration, "2 s fragments by default")
	assert.Equal(t, 2*second/25-213333, timeline("av.mp4", "audio")[0].Time-progressive[0].Time,
		"edit lists of two frames of reordering and of 1024 samples of priming")
}
