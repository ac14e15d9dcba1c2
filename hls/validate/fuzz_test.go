package validate_test

import (
	"context"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/hls/validate"
)

// FuzzPlaylist seeks playlists that make the checks panic or hang.
func FuzzPlaylist(f *testing.F) {
	for _, text := range bases() {
		f.Add([]byte(text))
	}
	for _, x := range slices.Concat(commonFixtures(), mediaFixtures(), masterFixtures()) {
		if len(x.new) < 200 {
			f.Add([]byte("#EXTM3U\n" + x.new))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := validate.Bytes("a.m3u8", data, &validate.Options{Profile: validate.ProfileIIS})
		if err != nil {
			t.Fatal(err) // everything that is wrong belongs in the report
		}
		bounded(t, r)
	})
}

func bounded(t *testing.T, r *validate.Report) {
	if len(r.Violations) > 20*len(validate.Rules()) {
		t.Fatalf("%d violations", len(r.Violations))
	}
	for _, v := range r.Violations {
		if v.Rule.ID == "" || len(v.Text) > 500 {
			t.Fatalf("rule %q, text %q", v.Rule.ID, v.Text)
		}
	}
}

// FuzzSegment seeks segments, of any format, that make the checks panic.
func FuzzSegment(f *testing.F) {
	s := muxedSegment(0)
	s.units = s.units[:6]
	f.Add(s.build())
	sampleStreams(0, s)
	f.Add(s.build())
	f.Add(soundOnly().build()[:188*6])
	fragment := videoFragment(0)
	fragment.samples = fragment.samples[:2]
	f.Add(slices.Concat(videoInit(), fragment.build()))
	f.Add(slices.Concat(initBox([][]byte{initTrackBox(1, 48000, "soun", audioEntry("mp4a"))}, 1), audioFragment(0, 2).build()))
	f.Add(packed(1, 2))
	f.Add([]byte(vttText))
	f.Add(append([]byte{0x0B, 0x77, 0x01, 0x7F, 0x34, 0x80, 0x40}, fill(20)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := validate.Bytes("a", data, &validate.Options{Profile: validate.ProfileIIS})
		if err == nil {
			bounded(t, r)
		}
	})
}

// FuzzPresentation seeks playlists and segments that together make the checks panic.
func FuzzPresentation(f *testing.F) {
	s := muxedSegment(0)
	s.units = s.units[:6]
	data := s.build()
	f.Add([]byte(mapText), data, data)
	f.Add([]byte(drmText), data, data[:376])
	f.Add([]byte(encryptedPresentation().files["master.m3u8"].body), data, []byte("0123456789abcdef"))
	f.Add([]byte(cmafPresentation().files["video.m3u8"].body), videoFragment(0).build(), videoInit())
	f.Fuzz(func(t *testing.T, list, segment, other []byte) {
		files := fstest.MapFS{"m.m3u8": {Data: []byte(masterText)}, "low.m3u8": {Data: list}, "high.m3u8": {Data: list}, "en.m3u8": {Data: list}}
		for _, name := range []string{"a.ts", "0.ts", "v0.m4s", "a.m4s", "b.ts"} {
			files[name] = &fstest.MapFile{Data: segment}
		}
		for _, name := range []string{"key.bin", "v.mp4", "init.mp4", "tables.ts", "1.ts", "v1.m4s", "c.ts"} {
			files[name] = &fstest.MapFile{Data: other}
		}
		r, err := validate.FS(context.Background(), files, "m.m3u8", &validate.Options{MaxSegmentSize: 1 << 20, Sample: 3})
		if err != nil {
			t.Fatal(err)
		}
		bounded(t, r)
	})
}

// TestEveryRuleHasAFixture keeps rules and fixtures together.
func TestEveryRuleHasAFixture(t *testing.T) {
	have := map[string]bool{"HS108": true} // a test of its own
	for _, f := range slices.Concat(commonFixtures(), mediaFixtures(), masterFixtures(), profileFixtures(), textFixtures()) {
		have[f.rule] = true
	}
	for _, f := range tsFixtures() {
		have[f.rule] = true
	}
	for _, f := range mp4Fixtures() {
		have[f.rule] = true
	}
	for _, f := range packedFixtures() {
		have[f.rule] = true
	}
	for _, f := range slices.Concat(crossFixtures(), keyFixtures(), httpFixtures()) {
		have[f.rule] = true
	}
	for _, f := range reloadFixtures() {
		have[f.rule] = true
	}
	seen := map[string]bool{}
	for _, r := range validate.Rules() {
		assert.True(t, have[r.ID], "rule %s has no fixture", r.ID)
		assert.False(t, seen[r.ID], "rule %s is listed twice", r.ID)
		assert.NotEmpty(t, r.Clause)
		assert.NotEmpty(t, r.Text)
		seen[r.ID] = true
	}
	for id := range have {
		assert.True(t, seen[id], "fixture for an unknown rule %s", id)
	}
}
