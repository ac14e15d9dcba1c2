package smooth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// maxGrowth is how much memory, in bytes, opening a small broken presentation may take in all.
const maxGrowth = 64 << 20

// playWhatOpens opens a presentation and fetches everything it lists. It returns the first error and fails on errors that
// do not tell what kind they are, and on memory out of proportion.
func playWhatOpens(t testing.TB, src smooth.Source, name string) (int, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := playAll(src, name)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxGrowth), name)
	if err != nil {
		known := false
		for _, kind := range []error{smooth.ErrCorrupt, smooth.ErrUnsupported, smooth.ErrTooLarge, smooth.ErrNotFound} {
			known = known || errors.Is(err, kind)
		}
		require.True(t, known, "%s: %v", name, err)
	}
	return n, err
}

func playAll(src smooth.Source, name string) (n int, err error) {
	ctx := context.Background()
	p, err := src.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	s, err := p.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := s.Manifest.AppendXML(nil, nil); err != nil {
		return 0, err
	}
	for _, st := range s.Manifest.Streams {
		for _, lv := range st.Levels {
			for _, c := range st.Timeline {
				if n++; n > 2000 {
					return n, err
				}
				err = errors.Join(err, playOne(ctx, p, smooth.FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey(), Time: c.Time}))
			}
		}
	}
	return n, err
}

func playOne(ctx context.Context, p smooth.Presentation, k smooth.FragmentKey) error {
	f, err := p.Fragment(ctx, k)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteTo(writeCounter{}); err != nil && f.Size() < 1<<20 {
		return errors.Join(err, smooth.ErrCorrupt)
	}
	if _, err := f.Header(smooth.CMAF); err != nil {
		return errors.Join(err, smooth.ErrCorrupt)
	}
	for _, err := range f.Samples() {
		if err != nil {
			return err
		}
	}
	return nil
}

type writeCounter struct{}

func (writeCounter) Write(p []byte) (int, error) { return len(p), nil }

// TestMalformedMedia puts every broken file where media, server manifests and client manifests are expected.
func TestMalformedMedia(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/malformed")
	good := testmedia.File(t, "av.ismv")
	opened := 0
	for _, kind := range []string{"mp4", "fmp4", "xml"} {
		entries, err := os.ReadDir(filepath.Join(dir, kind))
		require.NoError(t, err)
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, kind, e.Name()))
			require.NoError(t, err)
			src, log := source(t, tree(map[string][]byte{
				"av.ismv": good, "good.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1")),
				"bad.mp4": data, "media.ism": ism("", track("video", "bad.mp4", 40000)),
				"server.ism": data, "client.ism": ism("", track("video", "av.ismv", 40000, "trackID", "1")), "client.ismc": data,
				"clips.csm": data,
			}), nil)
			for _, name := range []string{"bad.mp4", "media.ism", "server.ism", "clips.csm"} {
				n, err := playWhatOpens(t, src, name)
				if err == nil && n > 0 {
					opened++
				}
				requireExplained(t, src, log, name)
			}
			_, err = playWhatOpens(t, src, "client.ism")
			assert.NoError(t, err, "%s: a broken client manifest is made anew", e.Name())
			_, err = playWhatOpens(t, src, "good.ism")
			assert.NoError(t, err, "other presentations keep playing")
		}
	}
	t.Logf("%d files could be played after all", opened)
}

// requireExplained requires that a presentation which cannot be opened is explained in the log and nowhere else.
func requireExplained(t testing.TB, src smooth.Source, log *logs, name string) {
	t.Helper()
	p, err := src.Open(context.Background(), name)
	if err == nil {
		p.Close()
		return
	}
	w := httptest.NewRecorder()
	smooth.NewHandler(src, quiet(nil)).ServeHTTP(w, httptest.NewRequest("GET", "/"+name+"/Manifest", nil))
	assert.GreaterOrEqual(t, w.Code, 400, name)
	assert.Less(t, w.Body.Len(), 50, "%s: generic text only: %s", name, w.Body)
	if errors.Is(err, smooth.ErrNotFound) {
		return
	}
	var fe *smooth.FileError
	require.ErrorAs(t, err, &fe, "%s: %v", name, err)
	assert.NotEmpty(t, fe.File)
	assert.NotEmpty(t, fe.Reason, "%v", err)
	assert.NotEmpty(t, fe.Remedy, "%v", err)
	assert.True(t, fe.Path != "" || fe.Line > 0 || fe.Offset >= 0, "no place: %v", err)
	assert.Contains(t, log.String(), fe.File)
}

// TestTruncated cuts files off at many places.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"av.ismv", "av.mp4", "chunks.mp4"} {
		data := testmedia.File(t, name)
		step := 64
		if testing.Short() {
			step = 640
		}
		for n := 0; n < len(data); n += step {
			src, _ := source(t, tree(map[string][]byte{"x.mp4": data[:n], "av.mp4": testmedia.File(t, "low.mp4")}), nil)
			_, err := playWhatOpens(t, src, "x.mp4")
			if err != nil {
				var fe *smooth.FileError
				require.ErrorAs(t, err, &fe, "%d bytes: %v", n, err)
				require.Equal(t, "x.mp4", fe.File)
				require.NotEmpty(t, fe.Path, "%v", err)
				require.NotEmpty(t, fe.Remedy, "%v", err)
			}
		}
	}
}

// TestBrokenIsExplained: the log has file, place and remedy, whatever is broken.
func TestBrokenIsExplained(t *testing.T) {
	av := testmedia.File(t, "av.ismv")
	entry := bytes.Replace(testmedia.File(t, "av.mp4"), []byte("avcC"), []byte("avcX"), 1)
	entry = bytes.Replace(entry, []byte("mp4a"), []byte("mp4b"), 1)
	audio := bytes.Replace(av, []byte("vide"), []byte("hint"), 1)
	good := ism("", track("video", "av.ismv", 40000, "trackID", "1"))
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"XML cut off", map[string][]byte{"x.ism": good[:len(good)/2]}, "smooth: x.ism:"},
		{"wrong root", map[string][]byte{"x.ism": []byte("<a/>")}, "smooth: x.ism:1: root element a"},
		{"no clips", map[string][]byte{"x.csm": []byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="1" Duration="1"/>`)}, "smooth: x.csm: SmoothStreamingMedia: no Clip"},
		{"too large", map[string][]byte{"x.ism": make([]byte, smooth.MaxServerManifest+1)}, "smooth: x.ism at byte 4194304: 4194305 bytes"},
		{"sample entries", map[string][]byte{"x.mp4": entry}, "smooth: x.mp4: moov/trak/mdia/minf/stbl/stsd at byte "},
		{"no such type", map[string][]byte{"x.ism": ism("", track("video", "audio.ismv", 40000)), "audio.ismv": audio}, "smooth: audio.ismv: moov/trak: no video track"},
		{"no such track", map[string][]byte{"x.ism": ism("", track("video", "av.ismv", 40000, "trackID", "9")), "av.ismv": av}, "smooth: av.ismv: moov/trak: no track 9"},
		{"no fragments", map[string][]byte{"x.mp4": av[:bytes.Index(av, []byte("moof"))-4]}, "smooth: x.mp4: moof at byte "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, log := source(t, tree(tt.files), nil)
			for name := range tt.files {
				if strings.HasPrefix(name, "x.") {
					_, err := src.Open(context.Background(), name)
					require.Error(t, err)
					assert.Contains(t, err.Error(), tt.want)
					requireExplained(t, src, log, name)
				}
			}
		})
	}
}

// TestLyingSamplesAreExplained: what is found only when a noun looks into the moof box names the file, too.
func TestLyingSamplesAreExplained(t *testing.T) {
	f := parseISMV(t, testmedia.File(t, "av.ismv"))
	moof := bytes.Clone(f.frags[0].moof)
	at := bytes.Index(moof, []byte("trun"))
	n := binary.BigEndian.Uint32(moof[at-4:])
	for i := at + 16; i+4 <= at-4+int(n); i += 4 {
		binary.BigEndian.PutUint32(moof[i:], 0x00100000)
	}
	f.frags[0].moof = moof
	src, _ := source(t, tree(map[string][]byte{"x.ismv": f.bytes(whole), "x.ism": ism("", track("video", "x.ismv", 40000, "trackID", "1"))}), nil)
	log := new(logs)
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: log.logger()})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/x.ism/QualityLevels(40000)/KeyFrames(video=0)", nil))
	require.Equal(t, 500, w.Code, w.Body)
	assert.Contains(t, log.String(), "smooth: x.ismv: moof/traf/trun: fragment video 0, byte ")
	assert.Contains(t, log.String(), "(copy the file again or package it anew)")
}

// TestShrunk reads a file that has become shorter since it was opened.
func TestShrunk(t *testing.T) {
	dir := writeTree(t, map[string][]byte{"av.mp4": testmedia.File(t, "av.mp4"), "av.ismv": testmedia.File(t, "av.ismv")})
	src := smooth.Dir(dir, &smooth.FileOptions{Logger: new(logs).logger(), Now: newClock().Now})
	defer src.Close()
	for _, name := range []string{"av.mp4", "av.ismv"} {
		p, err := src.Open(context.Background(), name)
		require.NoError(t, err)
		defer p.Close()
		require.NoError(t, os.Truncate(filepath.Join(dir, name), 4000))
		s, err := p.Snapshot(context.Background())
		require.NoError(t, err)
		st := s.Manifest.Streams[0]
		_, err = p.Fragment(context.Background(), smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[0].Bitrate, Time: st.Timeline[2].Time})
		var fe *smooth.FileError
		require.ErrorAs(t, err, &fe)
		assert.Equal(t, name, fe.File)
		assert.NotEmpty(t, fe.Remedy)
	}
}

// TestLyingFiles states sizes, counts and times that are not so.
func TestLyingFiles(t *testing.T) {
	reference := testmedia.File(t, "av.ismv")
	word := func(f *frag, typ string, at int, v uint32) {
		f.moof = bytes.Clone(f.moof)
		binary.BigEndian.PutUint32(f.moof[bytes.Index(f.moof, []byte(typ))+at:], v)
	}
	tests := map[string]func(*frag){
		"trun counts a billion samples":     func(f *frag) { word(f, "trun", 8, 1<<30) },
		"data offset before the file":       func(f *frag) { word(f, "trun", 12, 1<<31) },
		"data offset behind the file":       func(f *frag) { word(f, "trun", 12, 1<<31-1) },
		"a sample of 4 GB":                  func(f *frag) { word(f, "trun", 24, 1<<32-1) },
		"mdat reaches into the next":        func(f *frag) { f.mdat = bytes.Clone(f.mdat); binary.BigEndian.PutUint32(f.mdat, 1<<20) },
		"mdat is no mdat":                   func(f *frag) { f.mdat = bytes.Clone(f.mdat); copy(f.mdat[4:], "free") },
		"moof is larger than the fragment":  func(f *frag) { f.moof = bytes.Clone(f.moof); binary.BigEndian.PutUint32(f.moof, 1<<20) },
		"track of another file":             func(f *frag) { word(f, "tfhd", 8, 77) },
		"tfhd is missing":                   func(f *frag) { f.moof = bytes.Replace(f.moof, []byte("tfhd"), []byte("none"), 1) },
		"tfxd at the end of time":           func(f *frag) { f.moof = withTime(f.moof, 1<<63) },
		"tfxd before the beginning of time": func(f *frag) { f.moof = withTime(f.moof, 1<<63+1<<62) },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			for _, index := range []func(uint32, []fmp4.TfraEntry) []fmp4.TfraEntry{nil, whole} {
				f := parseISMV(t, reference)
				edit(&f.frags[5])
				src, _ := source(t, tree(map[string][]byte{"x.ismv": f.bytes(index), "x.ism": ism("", track("video", "x.ismv", 1, "trackID", "1"), track("audio", "x.ismv", 1, "trackID", "2"))}), nil)
				n, err := playWhatOpens(t, src, "x.ism")
				if err == nil {
					assert.Positive(t, n)
					continue
				}
				var fe *smooth.FileError
				require.ErrorAs(t, err, &fe, "%v", err)
				assert.Equal(t, "x.ismv", fe.File)
			}
		})
	}
}

func withTime(moof []byte, time uint64) []byte {
	moof = bytes.Clone(moof)
	binary.BigEndian.PutUint64(moof[bytes.Index(moof, fmp4.UUIDTfxd[:])+20:], time)
	return moof
}

// TestServerManifestFaults names what is wrong in a server manifest and what to do.
func TestServerManifestFaults(t *testing.T) {
	files := map[string][]byte{
		"av.ismv":     testmedia.File(t, "av.ismv"),
		"nothing.ism": ism(""),
		"gone.ism":    ism("", track("video", "gone.ismv", 1)),
		"id.ism":      ism("", track("video", "av.ismv", 1, "trackID", "9")),
		"type.ism":    ism("", track("video", "av.ismv", 1, "trackID", "2")),
		"kind.ism":    ism("", track("textstream", "av.ismv", 1)),
		"huge.ism":    append(ism(""), bytes.Repeat([]byte(" "), smooth.MaxServerManifest)...),
		"live.ism":    ism("", track("video", "", 1)),
		"x.csm":       []byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="0"/>`),
	}
	src, log := source(t, tree(files), nil)
	for name, want := range map[string][]string{
		"nothing.ism": {"nothing.ism", "smil/body/switch"}, "gone.ism": {"gone.ism", "copy the media files"},
		"id.ism": {"av.ismv", "no track 9", "trackID"}, "type.ism": {"av.ismv", "handler", "trackID"}, "kind.ism": {"av.ismv", "no text track"},
		"huge.ism": {"huge.ism", "the limit is"}, "live.ism": {"live.ism"}, "x.csm": {"x.csm", "no Clip"},
	} {
		_, err := src.Open(context.Background(), name)
		require.Error(t, err, name)
		assert.NotErrorIs(t, err, fs.ErrNotExist)
		for _, part := range want {
			assert.Contains(t, err.Error(), part, name)
		}
		requireExplained(t, src, log, name)
	}
	many := make([]string, smooth.MaxMediaFiles+1)
	wide := map[string][]byte{}
	for i := range many {
		many[i] = strings.Repeat("x", i+1) + ".mp4"
		wide[many[i]] = files["av.ismv"]
		many[i] = track("video", many[i], i+1, "trackID", "1")
	}
	wide["x.ism"] = ism("", many...)
	src, _ = source(t, tree(wide), nil)
	_, err := src.Open(context.Background(), "x.ism")
	assert.ErrorIs(t, err, smooth.ErrTooLarge)
}

// TestClaimedSamples refuses tables that state millions of samples in a few bytes, and soon.
func TestClaimedSamples(t *testing.T) {
	word := func(b []byte, typ string, at int, v ...uint32) {
		for i := range v {
			binary.BigEndian.PutUint32(b[bytes.Index(b, []byte(typ))+at+4*i:], v[i])
		}
	}
	moof := make([]byte, 0, 1000)
	moof = append(moof, mkbox("moof", mkbox("mfhd", make([]byte, 8)), mkbox("traf",
		mkbox("tfhd", []byte{0, 0, 0, 0x38, 0, 0, 0, 1}, []byte{0, 0, 0, 1}, []byte{0, 0, 0, 0}, []byte{0, 0, 0, 0}),
		mkbox("trun", []byte{0, 0, 0, 0, 0, 0x10, 0, 0})))...)
	tests := map[string]struct {
		data []byte
		want error
	}{
		"bytes": {testmedia.File(t, "low.mp4"), smooth.ErrCorrupt},
		"time":  {testmedia.File(t, "low.mp4"), nil},
		"moofs": {append(slices.Clip(textFile(t, "x")), bytes.Repeat(moof, 2000)...), nil},
	}
	word(tests["bytes"].data, "stsz", 8, 1, 1<<28)
	word(tests["bytes"].data, "stts", 8, 1, 1<<28, 1000)
	word(tests["time"].data, "stts", 8, 1, 150, 1<<31)
	for name, tt := range tests {
		src, _ := source(t, tree(map[string][]byte{"x.mp4": tt.data}), nil)
		began := time.Now()
		_, err := playWhatOpens(t, src, "x.mp4")
		if tt.want != nil {
			assert.ErrorIs(t, err, tt.want, name)
		}
		assert.Less(t, time.Since(began), 5*time.Second, "%s: %v", name, err)
	}
}

// TestUnknownCodecs leaves out tracks that no client could play, before they have a say in where others are cut.
func TestUnknownCodecs(t *testing.T) {
	rename := func(name string, pairs ...string) []byte {
		b := testmedia.File(t, name)
		for i := 0; i < len(pairs); i += 2 {
			b = bytes.Replace(b, []byte(pairs[i]), []byte(pairs[i+1]), 1)
		}
		return b
	}
	files := map[string][]byte{
		"none.mp4": rename("av.mp4", "avc1\x00", "zzz1\x00", "mp4a\x00", "zzz2\x00"), "half.mp4": rename("av.mp4", "avc1\x00", "zzz1\x00"),
		"x.ism": ism("", track("video", "low.mp4", 1), track("video", "half.mp4", 2), track("audio", "half.mp4", 3)), "low.mp4": testmedia.File(t, "low.mp4"),
		"d/1.mp4": rename("av.mp4", "avc1\x00", "zzz1\x00"), "d/2.mp4": testmedia.File(t, "low.mp4"),
	}
	src, log := source(t, tree(files), nil)
	_, err := src.Open(context.Background(), "none.mp4")
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	assert.ErrorContains(t, err, "zzz", "the codec is named")
	for name, streams := range map[string]int{"half.mp4": 1, "x.ism": 2, "d.ism": 2} {
		s, _ := fetchAll(t, src, name)
		assert.Len(t, s.Manifest.Streams, streams, name)
	}
	assert.Contains(t, log.String(), "track is left out")
}

// FuzzOpenMedia opens mutated files and fetches all fragments they list.
func FuzzOpenMedia(f *testing.F) {
	small := parseISMV(f, testmedia.File(f, "av.ismv"))
	small.frags = slices.DeleteFunc(small.frags, func(fr frag) bool { return fr.id == 1 })[:3]
	f.Add(small.bytes(whole), true)
	f.Add(small.bytes(nil), false)
	f.Add(testmedia.File(f, "chunks.mp4")[:6000], false)
	f.Add(testmedia.File(f, "low.mp4"), false)
	f.Add(textFile(f, "<tt/>", "<tt/>"), true)
	f.Fuzz(func(t *testing.T, data []byte, named bool) {
		if len(data) > 64<<10 {
			return
		}
		files := map[string][]byte{"x.mp4": data}
		if named {
			files["x.ism"] = ism("", track("video", "x.mp4", 2, "trackID", "1"), track("audio", "x.mp4", 1, "trackID", "2"), track("textstream", "x.mp4", 1))
		}
		src, _ := source(t, tree(files), nil)
		for _, name := range []string{"x.mp4", "x.ism"} {
			_, _ = playWhatOpens(t, src, name)
		}
	})
}
