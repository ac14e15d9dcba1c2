package validate_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/validate"
)

// urlFixture breaks one rule of a presentation.
type urlFixture struct {
	rule, base, hint string
	change           func(*presentation)
}

func presentations() map[string]func() *presentation {
	return map[string]func() *presentation{
		"ts": tsPresentation, "cmaf": cmafPresentation, "aes": encryptedPresentation, "sample": samplePresentation,
		"muxed": func() *presentation { return muxedPresentation(nil) },
	}
}

// rebuilt makes the muxed presentation anew.
func rebuilt(change func(n int64, s *spec)) func(*presentation) {
	return func(o *presentation) { o.files = muxedPresentation(change).files }
}

// nulls appends null packets to a file.
func nulls(o *presentation, name string, n int) {
	p := append([]byte{0x47, 0x1F, 0xFF, 0x10}, bytes.Repeat([]byte{0xFF}, 184)...)
	f := o.files[name]
	f.body += string(bytes.Repeat(p, n))
	o.files[name] = f
}

var rates = regexp.MustCompile(`BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+)`)

// setRates changes what the first variant says.
func setRates(o *presentation, f func(peak, average int) (int, int)) {
	body := o.files["master.m3u8"].body
	m := rates.FindStringSubmatch(body)
	peak, _ := strconv.Atoi(m[1])
	average, _ := strconv.Atoi(m[2])
	peak, average = f(peak, average)
	o.edit("master.m3u8", m[0], fmt.Sprintf("BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d", peak, average))
}

// rebuildHigh makes the segments of the second variant anew.
func rebuildHigh(o *presentation, change func(s *spec)) {
	cc := map[uint16]byte{}
	for n := range int64(segments) {
		s := highSegment(n, cc)
		change(s)
		o.files[fmt.Sprintf("high%d.ts", n)] = file{"video/mp2t", string(s.build())}
	}
}

// splitHigh cuts the last segment of the second variant in two.
func splitHigh(o *presentation) {
	cc := map[uint16]byte{}
	highSegment(0, cc).build()
	highSegment(1, cc).build()
	a, b := highSegment(2, cc), highSegment(2, cc)
	a.units, b.units = a.units[:13], b.units[13:]
	b.units[0].random, b.units[0].payload = true, a.units[0].payload
	for i, s := range []*spec{a, b} {
		o.files[fmt.Sprintf("high%d.ts", 2+i)] = file{"video/mp2t", string(s.build())}
	}
	o.edit("high.m3u8", "#EXTINF:2.000,\nhigh2.ts", "#EXTINF:1.040,\nhigh2.ts\n#EXTINF:0.960,\nhigh3.ts")
	raiseHigh(o)
}

// raiseHigh adds 6 percent to the BANDWIDTH of the second variant.
func raiseHigh(o *presentation) {
	last := rates.FindAllStringSubmatch(o.files["master.m3u8"].body, -1)[1]
	peak, _ := strconv.Atoi(last[1])
	o.edit("master.m3u8", "BANDWIDTH="+last[1], fmt.Sprintf("BANDWIDTH=%d", peak*106/100))
}

func crossFixtures() []urlFixture {
	edit := func(name, old, new string) func(*presentation) {
		return func(o *presentation) { o.edit(name, old, new) }
	}
	return []urlFixture{
		{"HC101", "ts", "3s", edit("high.m3u8", "TARGETDURATION:2", "TARGETDURATION:3")},
		{"HC102", "ts", "", edit("high.m3u8", "#EXT-X-PLAYLIST-TYPE:VOD\n", "")},
		{"HC103", "ts", "4s", edit("text.m3u8", "#EXTINF:2.000,\ntext2.vtt\n", "")},
		{"HC104", "ts", "", edit("text.m3u8", "#EXTINF:2.000,\ntext2", "#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\ntext2")},
		{"HC105", "ts", "", edit("master.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS\n", "")},
		{"HC106", "ts", "peak", func(o *presentation) { nulls(o, "low1.ts", 1) }},
		{"HC107", "ts", "a segment", func(o *presentation) {
			for _, name := range []string{"low", "high", "sound", "text", "iframes"} {
				o.edit(name+".m3u8", "TARGETDURATION:2", "TARGETDURATION:5")
			}
			nulls(o, "low1.ts", 4)
			setRates(o, func(peak, average int) (int, int) { return peak + 2000, average })
		}},
		{"HC108", "ts", "", func(o *presentation) {
			setRates(o, func(peak, average int) (int, int) { return peak * 12 / 10, average })
		}},
		{"HC109", "ts", "", func(o *presentation) {
			setRates(o, func(peak, average int) (int, int) { return peak, average * 8 / 10 })
		}},
		{"HC110", "ts", "", func(o *presentation) {
			before := o.rate([]string{"low0.ts", "low1.ts", "low2.ts"})
			nulls(o, "low1.ts", 500)
			after := o.rate([]string{"low0.ts", "low1.ts", "low2.ts"})
			setRates(o, func(peak, average int) (int, int) { return peak - before[0] + after[0], average - before[1] + after[1] })
		}},
		{"HC111", "ts", "", func(o *presentation) {
			rebuildHigh(o, func(s *spec) {
				for i := range s.units {
					u := &s.units[i]
					u.dts, u.pts, u.pcr = u.dts+9000, u.pts+9000, u.pcr+9000
				}
			})
		}},
		{"HC112", "ts", "4 segments", splitHigh},
		{"HC112", "ts", "3.88s", func(o *presentation) {
			o.edit("high.m3u8", "#EXTINF:2.000,\nhigh0.ts", "#EXTINF:1.940,\nhigh0.ts")
			o.edit("high.m3u8", "#EXTINF:2.000,\nhigh1.ts", "#EXTINF:1.940,\nhigh1.ts")
			raiseHigh(o)
		}},
		{"HC113", "ts", "there is avc1.42800d", edit("master.m3u8", `CODECS="avc1.42800d,mp4a.40.2"`, `CODECS="avc1.4d400d,mp4a.40.2"`)},
		{"HC113", "ts", "there is mp4a.40.2", edit("master.m3u8", `CODECS="avc1.42800d,mp4a.40.2"`, `CODECS="avc1.42800d"`)},
		{"HC113", "cmaf", "there is mp4a.40.2", edit("master.m3u8", `CODECS="avc1.42800d,mp4a.40.2"`, `CODECS="avc1.42800d,ac-3,mp4a.40.34"`)},
		{"HC114", "ts", "400x224", edit("master.m3u8", `RESOLUTION=400x224`, `RESOLUTION=640x360`)},
		{"HC114", "cmaf", "400x224", edit("master.m3u8", `RESOLUTION=400x224`, `RESOLUTION=640x360`)},
		{"HC117", "ts", "", func(o *presentation) {
			o.files["low.m3u8"] = file{playlistType, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,AVERAGE-BANDWIDTH=9,CODECS=\"mp4a.40.2\"\na.m3u8\n"}
		}},
		{"HC118", "ts", "", edit("low.m3u8", "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:4\n#EXT-X-I-FRAMES-ONLY\n")},
		{"HC119", "ts", "the cue is", edit("text1.vtt", "00:02.000 --> 00:02.500", "00:22.000 --> 00:22.500")},
		{"HC120", "ts", "", func(o *presentation) {
			for n := range int64(segments) {
				first, next := soundFrames(n), soundFrames(n+1)
				o.files[fmt.Sprintf("sound%d.aac", n)] = file{"audio/aac", string(packed(clockStart+90_000+first*sound, int(next-first)))}
			}
		}},

		{"HS101", "muxed", "EXTINF is 2.2s", edit("master.m3u8", "#EXTINF:2.000,\n1.ts", "#EXTINF:2.200,\n1.ts")},
		{"HS102", "muxed", "audio 257", rebuilt(func(n int64, s *spec) {
			for i := range s.units {
				if s.units[i].pid == audioPID && n > 0 {
					s.units[i].pts += 1500
				}
			}
		})},
		{"HS102", "cmaf", "audio 1", func(o *presentation) {
			a, b := (int64(96000)+1023)/1024, (2*int64(96000)+1023)/1024
			f := audioFragment(a, b)
			f.time += 1024
			o.files["a1.m4s"] = file{"audio/mp4", string(f.build())}
		}},
		{"HS103", "muxed", "", func(o *presentation) {
			f := o.files["master.m3u8"]
			f.body = strings.ReplaceAll(f.body, "2.000", "1.920")
			o.files["master.m3u8"] = f
		}},
		{"HS104", "ts", "1 channels", func(o *presentation) {
			for _, name := range []string{"sound1.aac", "sound2.aac"} {
				f := o.files[name]
				f.body = strings.ReplaceAll(f.body, string(adts(100)[:4]), "\xFF\xF1\x4C\x40")
				o.files[name] = f
			}
		}},
		{"HS105", "muxed", "audio 257", rebuilt(func(n int64, s *spec) { // frames of sound that come a segment early
			from, to := soundFrames(n), soundFrames(n+1)
			if n > 0 {
				from += 14
			}
			if n < segments-1 {
				to += 14
			}
			s.units = append(videoSegment(n).units, soundUnits(from, to, 6)...)
			s.sort()
		})},
		{"HS106", "muxed", "", func(o *presentation) { o.files["1.ts"] = file{"text/vtt", vttText} }},
		{"HS107", "muxed", "", func(o *presentation) { o.files["1.ts"] = file{"video/mp2t", "nothing"} }},
		{"HT120", "muxed", "", rebuilt(func(n int64, s *spec) {
			if n == 1 {
				s.streams[0].desc = []byte{5, 4, 'H', 'D', 'M', 'V'}
			}
		})},
		{"HT122", "muxed", "the segment before", rebuilt(func(n int64, s *spec) {
			if n == 1 {
				s.cc = nil
			}
		})},
		{"HT123", "muxed", "", rebuilt(func(n int64, s *spec) { hevcStream(s) })},
	}
}

// hevcStream makes the video of a segment HEVC. The SPS is broken on purpose: reading it is not what is tested.
func hevcStream(s *spec) {
	s.streams[0].typ = 0x24
	for i := range s.units {
		u := &s.units[i]
		switch {
		case u.pid != videoPID:
		case u.random:
			u.payload = annexB([]byte{0x46, 1, 0x50}, []byte{0x40, 1, 9}, unhex(hevcSPS), []byte{0x44, 1, 9}, append([]byte{0x26, 1}, fill(100)...))
		default:
			u.payload = annexB([]byte{0x46, 1, 0x50}, append([]byte{2, 1}, fill(100)...))
		}
	}
}

// hevcSPS is that of a real encoding, 1280x720, Main profile level 3.1.
const hevcSPS = "420101016000000300900000030000030078a00280802d165959a4932b9a020000030002000003003c10"

func keyFixtures() []urlFixture {
	key := func(body string) func(*presentation) {
		return func(o *presentation) { o.files["key.bin"] = file{"application/octet-stream", body} }
	}
	unmarked := func(i int, desc string) func(*presentation) {
		return func(o *presentation) {
			files := o.files
			o.files = muxedPresentation(func(n int64, s *spec) {
				sampleStreams(n, s)
				s.streams[i].desc = []byte(desc)
			}).files
			o.files["master.m3u8"], o.files["key.bin"] = files["master.m3u8"], files["key.bin"]
		}
	}
	return []urlFixture{
		{"HK101", "aes", "15 bytes", key("0123456789abcde")},
		{"HK101", "sample", "17 bytes", key("0123456789abcdef\n")},
		{"HK102", "aes", "404", func(o *presentation) { delete(o.files, "key.bin") }},
		{"HK103", "aes", "", header("key.bin", "Content-Type", "text/plain")},
		{"HK104", "aes", "", header("key.bin", "Cache-Control", "max-age=60")},
		{"HK111", "aes", "1 after", func(o *presentation) {
			f := o.files["1.ts"]
			f.body += "x"
			o.files["1.ts"] = f
		}},
		{"HK112", "aes", "", key("0123456789abcdeX")},
		{"HK121", "muxed", "METHOD is \"SAMPLE-AES\"", func(o *presentation) {
			o.edit("master.m3u8", "#EXTINF", "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:,0123456789abcdef\",IV=0x9\n#EXTINF")
			o.edit("master.m3u8", "VERSION:3", "VERSION:5")
		}},
		{"HK121", "sample", "METHOD is \"\"", func(o *presentation) {
			o.edit("master.m3u8", "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key.bin\",IV=0x09\n", "")
			o.edit("master.m3u8", "VERSION:5", "VERSION:3")
		}},
		{"HK122", "sample", "zavc", unmarked(0, "")},
		{"HK122", "sample", "aacd", unmarked(1, "\x0f\x04ac3d\x05\x06apadzz")},
		{"HK123", "sample", "apad", unmarked(1, "\x0f\x04aacd")},
	}
}

// header sets, or with no value deletes, a header of the names with that suffix.
func header(suffix, name, value string) func(*presentation) {
	return func(o *presentation) {
		o.header = func(h http.Header, n string) {
			switch {
			case !strings.HasSuffix(n, suffix):
			case value == "":
				h.Del(name)
			default:
				h.Set(name, value)
			}
		}
	}
}

// on answers requests for the names with that suffix by f.
func on(method, suffix string, f http.HandlerFunc) func(*presentation) {
	return func(o *presentation) {
		o.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, suffix) && (method == "" || r.Method == method) {
				f(w, r)
				return true
			}
			return false
		}
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func page(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body>app</body></html>")
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cutShort announces ten bytes more than it sends.
func cutShort(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "video/mp2t")
	h.Set("Cache-Control", "no-store")
	h.Set("ETag", `"1"`)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Length", "12")
	_, _ = io.WriteString(w, "ab")
}

// onRange answers requests for a range.
func onRange(prefix string, f http.HandlerFunc) func(*presentation) {
	return func(o *presentation) {
		o.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.Header.Get("Range"), prefix) {
				return false
			}
			f(w, r)
			return true
		}
	}
}

func httpFixtures() []urlFixture {
	return []urlFixture{
		{"HH101", "ts", "no HLS output is registered", on("", "master.m3u8", status(404))},
		{"HH101", "ts", "mounted at this prefix", on("", "master.m3u8", http.NotFound)},
		{"HH101", "ts", "HTML page", on("", "master.m3u8", page(404))},
		{"HH101", "ts", "token", on("", "low.m3u8", status(403))},
		{"HH101", "ts", "cannot be shown", on("", "low.m3u8", status(415))},
		{"HH101", "ts", "log of the server", on("", "low.m3u8", status(500))},
		{"HH101", "ts", "a loop", on("", "master.m3u8", redirect(prefix+"master.m3u8"))},
		{"HH102", "ts", "single-page", on("", "master.m3u8", page(200))},
		{"HH104", "ts", "text/plain", func(o *presentation) {
			o.files["low"] = file{"text/plain", o.files["low.m3u8"].body}
			o.edit("master.m3u8", "low.m3u8", "low")
		}},
		{"HH105", "ts", "text/plain", header("low.m3u8", "Content-Type", "text/plain")},
		{"HH106", "ts", "Content-Length is 12", on("GET", "low1.ts", cutShort)},
		{"HH108", "ts", "low.m3u8", on("GET", "low.m3u8", abort)},
		{"HH108", "ts", "low1.ts", on("GET", "low1.ts", abort)},
		{"HH108", "ts", "low1.ts", on("", "low1.ts", abort)},
		{"HH109", "ts", "405", on("HEAD", "low.m3u8", status(405))},
		{"HH109", "ts", "", on("HEAD", "low.m3u8", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", playlistType)
			w.Header().Set("Content-Length", "7")
		})},
		{"HH110", "ts", "low9.ts", func(o *presentation) {
			o.files["low9.ts"] = o.files["low1.ts"]
			on("", "low1.ts", redirect(prefix+"low9.ts"))(o)
		}},
		{"HH111", "ts", "404", func(o *presentation) { delete(o.files, "low1.ts") }},
		{"HH111", "muxed", "cannot be fetched", func(o *presentation) { o.edit("master.m3u8", "1.ts", "ftp://x/1.ts") }},
		{"HH111", "cmaf", "503", on("", "v1.m4s", status(503))},
		{"HH112", "ts", "single-page", on("", "low1.ts", page(200))},
		{"HH113", "ts", "", header("low1.ts", "Content-Type", "application/octet-stream")},
		{"HH113", "ts", "", header("sound1.aac", "Content-Type", "video/mp2t")},
		{"HH113", "ts", "", header("text1.vtt", "Content-Type", "text/plain")},
		{"HH113", "cmaf", "", header("v.mp4", "Content-Type", "text/plain")},
		{"HH115", "muxed", "405", on("HEAD", "0.ts", status(405))},
		{"HH116", "muxed", "differ from byte", func(o *presentation) {
			gets := 0
			o.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "2.ts") && r.Method == "GET" {
					if gets++; gets == 2 {
						f := o.files["2.ts"]
						f.body += "x"
						o.files["2.ts"] = f
					}
				}
				return false
			}
		}},
		{"HH117", "muxed", "bytes 4 to 7", onRange("bytes=4-", status(206))},
		{"HH117", "ts", "status 200 with", onRange("bytes=0-", func(w http.ResponseWriter, r *http.Request) {
			for name, value := range map[string]string{"Content-Type": "video/mp2t", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"} {
				w.Header().Set(name, value)
			}
			_, _ = io.WriteString(w, "abc")
		})},
		{"HH118", "muxed", "", func(o *presentation) {
			o.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				r.Header.Del("If-None-Match")
				return false
			}
		}},
		{"HH141", "muxed", "", header("1.ts", "ETag", "")},
		{"HH143", "ts", "", header("low.m3u8", "Access-Control-Allow-Origin", "")},
		{"HH143", "muxed", "", header("1.ts", "Access-Control-Allow-Origin", "")},
		{"HH144", "muxed", "session", header("1.ts", "Set-Cookie", "session=1")},
		{"HH145", "muxed", "", header("1.ts", "Cache-Control", "")},
		{"HH146", "muxed", "", func(o *presentation) {
			o.edit("master.m3u8", "#EXT-X-ENDLIST\n", "")
			o.edit("master.m3u8", "#EXT-X-PLAYLIST-TYPE:VOD\n", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n")
			header("master.m3u8", "Cache-Control", "max-age=3")(o)
		}},
	}
}

func checkURL(t *testing.T, target string, opts *validate.Options) *validate.Report {
	t.Helper()
	r, err := validate.URL(context.Background(), target, opts)
	require.NoError(t, err)
	return r
}

func TestURLClean(t *testing.T) {
	for name, make := range presentations() {
		o := make()
		r := checkURL(t, o.start(t), nil)
		assert.Empty(t, r.Violations, name)
		r, err := validate.FS(context.Background(), o.fs(), "vod/master.m3u8", nil)
		require.NoError(t, err)
		assert.Empty(t, r.Violations, name)
	}
}

func TestURLCounts(t *testing.T) {
	o := tsPresentation()
	r, err := validate.Handler(context.Background(), o, prefix+"master.m3u8", nil)
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	c := r.Checked
	assert.Equal(t, []int{6, 2, 3, 15, 15}, []int{c.Documents, c.Streams, c.Levels, c.Chunks, c.Fragments})
	assert.Equal(t, 2*75+int(soundFrames(3))+3+3, c.Samples)
	r, err = validate.Handler(context.Background(), o, prefix+"master.m3u8", &validate.Options{Sample: 2})
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 10, r.Checked.Fragments)
	r, err = validate.Handler(context.Background(), o, prefix+"master.m3u8", &validate.Options{PlaylistOnly: true})
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 6, r.Checked.Requests)
	assert.Zero(t, r.Checked.Fragments)
}

func TestURLRules(t *testing.T) {
	for _, f := range append(append(crossFixtures(), keyFixtures()...), httpFixtures()...) {
		t.Run(f.rule, func(t *testing.T) {
			o := presentations()[f.base]()
			f.change(o)
			r := checkURL(t, o.start(t), nil)
			require.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
			assert.Contains(t, r.Violations[0].String(), f.hint)
		})
	}
}

// TestURLSegmentLimit checks the rule that needs a limit.
func TestURLSegmentLimit(t *testing.T) {
	for base, want := range map[string][]string{"muxed": {"HS108"}, "cmaf": {"HS108"}} {
		r := checkURL(t, presentations()[base]().start(t), &validate.Options{MaxSegmentSize: 2000})
		assert.Equal(t, want, rulesOf(r), "%v", r.Violations)
	}
}

func TestURLUsage(t *testing.T) {
	for _, url := range []string{"", "a.m3u8", "ftp://x/a.m3u8", "http://127.0.0.1:1/a.m3u8", "http://%zz/"} {
		_, err := validate.URL(context.Background(), url, nil)
		assert.Error(t, err, url)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := validate.Handler(ctx, tsPresentation(), prefix+"master.m3u8", nil)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestURLProfile checks that devices of the profile do not play fragmented MP4 and AES-128 is no obstacle.
func TestURLProfile(t *testing.T) {
	o := &validate.Options{Profile: validate.ProfileIIS}
	assert.Equal(t, []string{"HD107"}, rulesOf(checkURL(t, cmafPresentation().start(t), o)))
	assert.Empty(t, checkURL(t, encryptedPresentation().start(t), o).Violations)
}

// TestIFramesOfMuxed checks I-frames that are the beginnings of segments with sound, of which they hold a part.
func TestIFramesOfMuxed(t *testing.T) {
	o := muxedPresentation(nil)
	ranges := "#EXT-X-VERSION:4\n#EXT-X-I-FRAMES-ONLY\n"
	for n := range segments {
		ranges += fmt.Sprintf("#EXTINF:2.000,\n#EXT-X-BYTERANGE:%d@0\n%d.ts\n", 188*6, n)
	}
	o.files["master.m3u8"] = list(ranges)
	r := checkURL(t, o.start(t), nil)
	assert.Empty(t, r.Violations)
	assert.Equal(t, segments, r.Checked.Samples)
	o.edit("master.m3u8", "1128@0", "376@564")
	assert.Equal(t, []string{"HT111"}, rulesOf(checkURL(t, o.start(t), nil)))
}

// TestMappedTables checks I-frames that begin at their PES packets, with the tables in EXT-X-MAP.
func TestMappedTables(t *testing.T) {
	o := muxedPresentation(nil)
	o.files["tables.ts"] = file{"video/mp2t", o.files["0.ts"].body[:376]}
	ranges := "#EXT-X-VERSION:5\n#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"tables.ts\"\n"
	for n := range segments {
		ranges += fmt.Sprintf("#EXTINF:2.000,\n#EXT-X-BYTERANGE:%d@376\n%d.ts\n", 188*3, n)
	}
	o.files["master.m3u8"] = list(ranges)
	r := checkURL(t, o.start(t), nil)
	assert.Empty(t, r.Violations)
	assert.Equal(t, segments, r.Checked.Samples)
}

// TestDiscontinuity checks that after EXT-X-DISCONTINUITY everything may be different, and that a gap is not read.
func TestDiscontinuity(t *testing.T) {
	o := muxedPresentation(func(n int64, s *spec) {
		if n == 2 {
			*s = *videoSegment(70)
		}
	})
	o.edit("master.m3u8", "#EXTINF:2.000,\n2.ts", "#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\n2.ts")
	assert.Empty(t, checkURL(t, o.start(t), nil).Violations)
	o.edit("master.m3u8", "#EXT-X-DISCONTINUITY\n", "")
	got := rulesOf(checkURL(t, o.start(t), nil))
	assert.Subset(t, got, []string{"HS102", "HS104", "HT120", "HT122"})

	o = muxedPresentation(nil)
	delete(o.files, "1.ts")
	o.edit("master.m3u8", "#EXTINF:2.000,\n1.ts", "#EXT-X-GAP\n#EXTINF:2.000,\n1.ts")
	assert.Empty(t, checkURL(t, o.start(t), nil).Violations)
}

// TestEncryptedFragments checks fragmented MP4 under AES-128, whose EXT-X-MAP is encrypted too, and under SAMPLE-AES.
func TestEncryptedFragments(t *testing.T) {
	key := []byte("0123456789abcdef")
	iv := append(make([]byte, 15), 7)
	o := cmafPresentation()
	o.files["key.bin"] = file{"application/octet-stream", string(key)}
	tag := "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x7\n#EXT-X-MAP"
	for name, f := range o.files {
		if strings.HasPrefix(name, "v") && f.typ == "video/mp4" {
			o.files[name] = file{f.typ, string(encrypt(key, iv, []byte(f.body)))}
		}
	}
	o.files["master.m3u8"] = o.files["video.m3u8"]
	o.edit("master.m3u8", "#EXT-X-MAP", tag)
	assert.Empty(t, checkURL(t, o.start(t), nil).Violations)

	o = cmafPresentation()
	o.files["key.bin"] = file{"application/octet-stream", string(key)}
	sinf := mp4box("sinf", mp4box("frma", []byte("avc1")), fullBox("schm", 0, 0, []byte("cbcs"), u32(0x10000)))
	o.files["v.mp4"] = file{"video/mp4", string(initBox([][]byte{initTrackBox(1, 90000, "vide", videoEntry("encv", sinf))}, 1))}
	o.files["master.m3u8"] = o.files["video.m3u8"]
	o.edit("master.m3u8", "#EXT-X-MAP", strings.Replace(tag, "AES-128", "SAMPLE-AES", 1))
	assert.Empty(t, checkURL(t, o.start(t), nil).Violations)
	o.edit("master.m3u8", "METHOD=SAMPLE-AES", "METHOD=SAMPLE-AES-CTR")
	assert.Equal(t, []string{"HK124"}, rulesOf(checkURL(t, o.start(t), nil)))
}

// TestVariables checks that variables of the master playlist and of the URL reach the media playlists.
func TestVariables(t *testing.T) {
	o := tsPresentation()
	o.edit("master.m3u8", "#EXTM3U\n", "#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:NAME=\"l\",VALUE=\"low\"\n#EXT-X-DEFINE:QUERYPARAM=\"t\"\n")
	o.edit("master.m3u8", "\nlow.m3u8", "\n{$l}.m3u8?x={$t}")
	o.edit("low.m3u8", "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:8\n#EXT-X-DEFINE:IMPORT=\"l\"\n")
	o.edit("low.m3u8", "low1.ts", "{$l}1.ts")
	target := o.start(t)
	assert.Empty(t, checkURL(t, target+"?t=1", nil).Violations)
	assert.Equal(t, []string{"HP120"}, rulesOf(checkURL(t, target, nil)))
	o.edit("low.m3u8", "IMPORT=\"l\"", "IMPORT=\"m\"")
	assert.Equal(t, []string{"HH111", "HP120"}, rulesOf(checkURL(t, target+"?t=1", nil)))
}
