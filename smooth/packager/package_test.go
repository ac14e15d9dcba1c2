package packager_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func inputs(paths ...string) (list []packager.Input) {
	for _, p := range paths {
		list = append(list, packager.Input{Path: p})
	}
	return list
}

func pack(t testing.TB, job packager.Job) *packager.Result {
	t.Helper()
	res, err := packager.Package(context.Background(), job)
	require.NoError(t, err)
	return res
}

// timeline returns the chunks between these times.
func timeline(times ...uint64) (tl smooth.Timeline) {
	for i := range len(times) - 1 {
		tl = append(tl, smooth.Chunk{Time: times[i], Duration: times[i+1] - times[i]})
	}
	return tl
}

// bframeShift is how far the test media are moved: two frames of reordering at 25 Hz.
const bframeShift = 800_000

func TestPackage(t *testing.T) {
	high, low, german := testmedia.Media(t, "high.mp4"), testmedia.Media(t, "low.mp4"), testmedia.Media(t, "german.m4a")
	dir := t.TempDir()
	var done, total int64
	res := pack(t, packager.Job{Inputs: inputs(low, high, german), Dir: dir, Name: "film", Options: packager.Options{
		Progress: func(d, n int64) {
			assert.Greater(t, d, done)
			done, total = d, n
		},
	}})
	assert.Equal(t, total, done)
	assert.Equal(t, []string{high + ": track 2: the eng audio of " + low + " is used"}, res.Skipped)
	names := listDir(t, dir)
	assert.ElementsMatch(t, names, res.Files)
	assert.Equal(t, []string{"film.ismc", "film.ism"}, res.Files[len(res.Files)-2:])

	m := res.Manifest
	require.Len(t, m.Streams, 3)
	video := m.Stream("video")
	assert.Equal(t, timeline(0, 20_000_000, 40_000_000, 60_000_000), video.Timeline)
	require.Len(t, video.Levels, 2)
	assert.Greater(t, video.Levels[0].Bitrate, video.Levels[1].Bitrate)
	assert.EqualValues(t, 128, video.Levels[0].MaxWidth)
	for i, path := range []string{high, low} {
		l := video.Levels[i]
		assert.Equal(t, "H264", l.FourCC)
		assert.True(t, bytes.HasPrefix(l.CodecPrivateData, []byte{0, 0, 0, 1, 0x67}))
		got := output(t, trackFile(t, res, dir, "video", l.Bitrate), video)
		requireShifted(t, source(t, path, "vide"), got, bframeShift)
	}
	for name, path := range map[string]string{"audio_eng": low, "audio_deu": german} {
		s := m.Stream(name)
		require.NotNil(t, s, name)
		assert.Equal(t, name[len(name)-3:], s.Language)
		require.Len(t, s.Levels, 1)
		assert.Equal(t, "AACL", s.Levels[0].FourCC)
		got := output(t, trackFile(t, res, dir, name, s.Levels[0].Bitrate), s)
		requireShifted(t, source(t, path, "soun"), got, bframeShift)
		for i, c := range s.Timeline {
			assert.InDelta(t, 20_000_000*i, c.Time, 600_000) // next to the video's, or the start
		}
	}

	// What was written reads back as what is returned.
	raw, err := os.ReadFile(filepath.Join(dir, "film.ismc"))
	require.NoError(t, err)
	read, err := smooth.ParseManifest(raw)
	require.NoError(t, err)
	assert.Equal(t, m.Stream("audio_deu").Timeline, read.Stream("audio_deu").Timeline)
	assert.Equal(t, m.Duration, read.Duration)
	assert.Equal(t, max(video.Timeline.End(), m.Stream("audio_eng").Timeline.End()), read.Duration)
}

func listDir(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPackageIsDeterministic(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	job := packager.Job{Inputs: inputs(testmedia.Media(t, "high.mp4"), testmedia.Media(t, "low.mp4")), Dir: a, Name: "x"}
	res := pack(t, job)
	job.Dir = b
	pack(t, job)
	for _, f := range res.Files {
		requireSameFile(t, filepath.Join(a, f), filepath.Join(b, f))
	}
	// Packaging the result again changes nothing.
	again := t.TempDir()
	var media []string
	for _, f := range res.Files[:len(res.Files)-2] {
		media = append(media, filepath.Join(a, f))
	}
	pack(t, packager.Job{Inputs: inputs(media...), Dir: again, Name: "x"})
	for _, f := range res.Files {
		requireSameFile(t, filepath.Join(a, f), filepath.Join(again, f))
	}
}

func requireSameFile(t testing.TB, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	require.NoError(t, err)
	y, err := os.ReadFile(b)
	require.NoError(t, err)
	require.True(t, bytes.Equal(x, y), "%s differs from %s", a, b)
}

// TestPackageFragmented: a fragmented file gives what the progressive file of the same encoding gives.
func TestPackageFragmented(t *testing.T) {
	dir := t.TempDir()
	res := pack(t, packager.Job{Inputs: inputs(testmedia.Media(t, "fragmented.mp4")), Dir: dir, Name: "x"})
	for handler, name := range map[string]string{"vide": "video", "soun": "audio"} {
		s := res.Manifest.Stream(name)
		got := output(t, trackFile(t, res, dir, name, s.Levels[0].Bitrate), s)
		requireShifted(t, source(t, testmedia.Media(t, "low.mp4"), handler), got, bframeShift)
	}
}

// TestPackageReal packages files of many origins. All samples are there, audio and video keep their distance, and the
// validator finds nothing.
func TestPackageReal(t *testing.T) {
	for _, name := range []string{
		"testdata/smooth/package-mbr-mp4/BigBuckBunny_400.mp4",
		"testdata/media/mp4/media-sample_unrecognized_hevc_sei.mp4",
		"testdata/media/mp4/shaka-player-small.mp4",
		"testdata/media/mp4/music-metadata-Apple_voice_memo.m4a",
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			path := testmedia.Shared(t, name)
			dir := t.TempDir()
			res := pack(t, packager.Job{Inputs: inputs(path), Dir: dir, Name: "x"})
			var shift []int64
			for stream, handler := range map[string]string{"video": "vide", "audio": "soun"} {
				s := res.Manifest.Stream(stream)
				if s == nil {
					continue
				}
				got := output(t, trackFile(t, res, dir, stream, s.Levels[0].Bitrate), s)
				want := source(t, path, handler)
				shift = append(shift, got[0].pts-want[0].pts)
				requireShifted(t, want, got, shift[0])
			}
			assert.NotEmpty(t, shift)
			requireValid(t, dir, res)
		})
	}
}

// TestPackageMalformed: a broken file gives a presentation or an error and no files.
func TestPackageMalformed(t *testing.T) {
	for _, set := range []string{"testdata/malformed/mp4", "testdata/malformed/fmp4"} {
		root := testmedia.Shared(t, set)
		for _, name := range listDir(t, root) {
			dir := t.TempDir()
			res, err := packager.Package(context.Background(), packager.Job{Inputs: inputs(filepath.Join(root, name)), Dir: dir, Name: "x"})
			if err != nil {
				assert.Empty(t, listDir(t, dir), name)
				assert.ErrorContains(t, err, name)
				continue
			}
			assert.ElementsMatch(t, res.Files, listDir(t, dir), name)
		}
	}
}

// TestPackageFromIIS: a file of IIS, which leaves the flags of all but the first sample of a fragment unstated, keeps
// its fragments.
func TestPackageFromIIS(t *testing.T) {
	path := testmedia.Shared(t, "testdata/smooth/package-bbb/BigBuckBunny.ismv")
	dir := t.TempDir()
	res := pack(t, packager.Job{Inputs: inputs(path), Dir: dir, Name: "x"})
	assert.Len(t, res.Manifest.Stream("video").Timeline, 2)
	requireValid(t, dir, res)
}

// TestPackageBeforeZero: sound that begins before zero, as that of ffmpeg's Smooth muxer does, keeps its distance to the
// picture, and no sample of it is overlapped by the next fragment.
func TestPackageBeforeZero(t *testing.T) {
	const early = 213_333
	start := -int64(early)
	enc := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{
		{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: 300_000}}},
		{Type: smooth.Audio, Start: uint64(start), Levels: []smoothtest.Level{{Bitrate: 64_000}}},
	}})
	raw, err := io.ReadAll(enc.Body(7 * time.Second))
	require.NoError(t, err)
	res := pack(t, packager.Job{Dir: t.TempDir(), Name: "x",
		Inputs: []packager.Input{{Path: "x.ismv", Reader: bytes.NewReader(raw), Size: int64(len(raw))}}})
	video, audio := res.Manifest.Stream("video").Timeline, res.Manifest.Stream("audio").Timeline
	assert.EqualValues(t, early, video[0].Time-audio[0].Time)
	assert.EqualValues(t, 60_000_000, audio.End()-audio[0].Time)
}

func TestPackageOptions(t *testing.T) {
	high, low := testmedia.Media(t, "high.mp4"), testmedia.Media(t, "low.mp4")
	dir := t.TempDir()
	res := pack(t, packager.Job{Dir: dir, Name: "50% off", Inputs: []packager.Input{{Path: high, Language: "fr"}, {Path: low}},
		Options: packager.Options{FragmentDuration: 4 * time.Second, AllAudio: true}})
	assert.Equal(t, timeline(0, 40_000_000, 60_000_000), res.Manifest.Stream("video").Timeline)
	assert.NotNil(t, res.Manifest.Stream("audio_fra"))
	assert.NotNil(t, res.Manifest.Stream("audio_eng"))
	assert.Empty(t, res.Skipped)
	output(t, trackFile(t, res, dir, "audio_fra", res.Manifest.Stream("audio_fra").Levels[0].Bitrate), res.Manifest.Stream("audio_fra"))

	raw, err := os.ReadFile(low)
	require.NoError(t, err)
	twice := []packager.Input{
		{Path: "a.mp4", Reader: bytes.NewReader(raw), Size: int64(len(raw))},
		{Path: "b.mp4", Reader: bytes.NewReader(raw), Size: int64(len(raw))},
	}
	res = pack(t, packager.Job{Dir: t.TempDir(), Name: "x", Inputs: twice, Options: packager.Options{AllAudio: true}})
	levels := res.Manifest.Stream("video").Levels
	require.Len(t, levels, 2)
	assert.Equal(t, levels[0].Bitrate, levels[1].Bitrate+1, "unique")
	assert.NotNil(t, res.Manifest.Stream("audio_eng"))
	assert.NotNil(t, res.Manifest.Stream("audio_eng_2"))
	assert.Len(t, res.Files, 6)
}

func TestPackageCancelled(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := packager.Package(ctx, packager.Job{Inputs: inputs(testmedia.Media(t, "high.mp4")), Dir: dir, Name: "x",
		Options: packager.Options{Progress: func(done, total int64) { cancel() }}})
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, listDir(t, dir))
}

// TestPackageOntoDirectory: a name that cannot be replaced is found before anything gets its name.
func TestPackageOntoDirectory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "x.ism"), 0o777))
	_, err := packager.Package(context.Background(), packager.Job{Inputs: inputs(testmedia.Media(t, "high.mp4")), Dir: dir, Name: "x"})
	require.ErrorContains(t, err, "x.ism exists and is not a regular file")
	assert.Equal(t, []string{"x.ism"}, listDir(t, dir))
}

func TestPackageRefuses(t *testing.T) {
	high := testmedia.Media(t, "high.mp4")
	raw, err := os.ReadFile(high)
	require.NoError(t, err)
	change := func(old, new string) packager.Input {
		b := bytes.ReplaceAll(raw, []byte(old), []byte(new))
		return packager.Input{Path: "changed.mp4", Reader: bytes.NewReader(b), Size: int64(len(b))}
	}
	part := func(n int) packager.Input {
		return packager.Input{Path: "cut.mp4", Reader: bytes.NewReader(raw[:n]), Size: int64(n)}
	}
	text := func(name, content string) packager.Input {
		return packager.Input{Path: name, Reader: strings.NewReader(content), Size: int64(len(content))}
	}
	tests := []struct {
		name string
		in   []packager.Input
		want error
		text []string // in the message
	}{
		{"misaligned", inputs(high, testmedia.Media(t, "misaligned.mp4")), smooth.ErrUnsupported,
			[]string{"misaligned.mp4", "high.mp4", "no common sync sample", "fixed key frame interval"}},
		{"codec", []packager.Input{change("avc1", "mp4v")}, smooth.ErrUnsupported, []string{"changed.mp4", "track 1", "mp4v"}},
		{"short", []packager.Input{part(len(raw) - 1)}, smooth.ErrCorrupt, []string{"cut.mp4"}},
		{"no moov", []packager.Input{change("moov", "free")}, smooth.ErrCorrupt, []string{"changed.mp4", "no moov box"}},
		{"empty", []packager.Input{part(0)}, smooth.ErrCorrupt, []string{"cut.mp4"}},
		{"handlers", []packager.Input{change("vide", "meta"), text("a.vtt", "WEBVTT\n")}, nil, nil},
		{"text", []packager.Input{text("a.vtt", "hello")}, smooth.ErrCorrupt, []string{"a.vtt:1", "WEBVTT"}},
		{"times", []packager.Input{text("a.vtt", "WEBVTT\n\nx --> 00:01.000\ny\n")}, smooth.ErrCorrupt, []string{"a.vtt:3"}},
		{"XML", []packager.Input{text("a.ttml", "<tt>\n<body>\n</tt>")}, smooth.ErrCorrupt, []string{"a.ttml:3", "</tt>"}},
		{"binary text", []packager.Input{text("a.ttml", "\xff\x00\x81")}, smooth.ErrCorrupt, []string{"UTF-8"}},
		{"no cues", []packager.Input{text("a.vtt", "WEBVTT\n")}, smooth.ErrUnsupported, []string{"without cues"}},
		{"missing", inputs("nowhere.mp4"), os.ErrNotExist, []string{"nowhere.mp4"}},
		{"nothing", nil, nil, []string{"no inputs"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := packager.Package(context.Background(), packager.Job{Inputs: tt.in, Dir: dir, Name: "x", Options: packager.Options{FragmentDuration: time.Second}})
			if tt.want == nil && tt.text == nil {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			for _, s := range tt.text {
				assert.ErrorContains(t, err, s)
			}
			assert.Empty(t, listDir(t, dir))
		})
	}
	encrypted := testmedia.Shared(t, "testdata/smooth/piff/mp4ff-audio.mp4")
	_, err = packager.Package(context.Background(), packager.Job{Inputs: inputs(encrypted), Dir: t.TempDir(), Name: "x"})
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.ErrorContains(t, err, "is encrypted")
}

func TestPackageNames(t *testing.T) {
	for _, name := range []string{"", "a/b", `a\b`, "..", ".x", "a:b", "con", "Aux.2024", "a\nb", "a%2eb", "a\x00b"} {
		_, err := packager.Package(context.Background(), packager.Job{Inputs: inputs(testmedia.Media(t, "high.mp4")), Dir: t.TempDir(), Name: name})
		assert.Error(t, err, "%q", name)
	}
}
