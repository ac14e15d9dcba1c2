package validate_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// file is one resource of a presentation.
type file struct{ typ, body string }

const (
	playlistType = "application/vnd.apple.mpegurl"
	prefix       = "/vod/"
)

// presentation is a server of files. The fields break it.
type presentation struct {
	files map[string]file
	// intercept, if it returns true, has answered the request.
	intercept func(w http.ResponseWriter, r *http.Request) bool
	// header changes the headers before they are sent.
	header func(h http.Header, name string)
}

func (o *presentation) start(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	return srv.URL + prefix + "master.m3u8"
}

func (o *presentation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.intercept != nil && o.intercept(w, r) {
		return
	}
	name := strings.TrimPrefix(r.URL.Path, prefix)
	f, ok := o.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.typ)
	h.Set("ETag", fmt.Sprintf(`"%s-%d"`, name, len(f.body)))
	h.Set("Cache-Control", "public, max-age=3600")
	if strings.HasSuffix(name, ".bin") {
		h.Set("Cache-Control", "no-store")
	}
	if f.typ == playlistType && !strings.Contains(f.body, "ENDLIST") {
		h.Set("Cache-Control", "max-age=1")
	}
	h.Set("Access-Control-Allow-Origin", "*")
	if o.header != nil {
		o.header(h, name)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(f.body)))
}

// fs is the presentation as files.
func (o *presentation) fs() fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range o.files {
		out["vod/"+name] = &fstest.MapFile{Data: []byte(f.body)}
	}
	return out
}

// edit replaces text in a file, which must be there.
func (o *presentation) edit(name, old, new string) {
	f := o.files[name]
	if !strings.Contains(f.body, old) {
		panic(fmt.Sprintf("%s has no %q", name, old))
	}
	f.body = strings.Replace(f.body, old, new, 1)
	o.files[name] = f
}

// segments is the number of those in a presentation. They last two seconds each.
const segments = 3

// list makes a media playlist of the names, all of one duration; tags come before the first segment.
func list(tags string, names ...string) file {
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n%s", tags)
	for _, name := range names {
		fmt.Fprintf(&b, "#EXTINF:2.000,\n%s\n", name)
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return file{playlistType, b.String()}
}

const version3 = "#EXT-X-VERSION:3\n"

// tsPresentation has two variants in transport streams, packed audio, subtitles, and I-frames as byte ranges.
func tsPresentation() *presentation {
	o := &presentation{files: map[string]file{}}
	var low, high, audio, text []string
	ranges := "#EXT-X-VERSION:4\n#EXT-X-I-FRAMES-ONLY\n"
	a, b := map[uint16]byte{}, map[uint16]byte{}
	for n := range int64(segments) {
		s := videoSegment(n)
		s.cc = a
		low = append(low, fmt.Sprintf("low%d.ts", n))
		o.files[low[n]] = file{"video/mp2t", string(s.build())}
		s = highSegment(n, b)
		high = append(high, fmt.Sprintf("high%d.ts", n))
		o.files[high[n]] = file{"video/mp2t", string(s.build())}
		first, next := soundFrames(n), soundFrames(n+1)
		audio = append(audio, fmt.Sprintf("sound%d.aac", n))
		o.files[audio[n]] = file{"audio/aac", string(packed(clockStart+first*sound, int(next-first)))}
		text = append(text, fmt.Sprintf("text%d.vtt", n))
		o.files[text[n]] = file{"text/vtt", fmt.Sprintf("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n00:0%d.000 --> 00:0%d.500\nHello\n", 2*n, 2*n)}
		ranges += fmt.Sprintf("#EXTINF:2.000,\n#EXT-X-BYTERANGE:%d@0\n%s\n", 188*5, low[n])
	}
	o.files["low.m3u8"] = list(version3, low...)
	o.files["high.m3u8"] = list(version3, high...)
	o.files["sound.m3u8"] = list(version3, audio...)
	o.files["text.m3u8"] = list(version3, text...)
	o.files["iframes.m3u8"] = list(ranges)
	const media = `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="sound.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",AUTOSELECT=YES,URI="text.m3u8"
`
	const attrs = `CODECS="avc1.42800d,mp4a.40.2",RESOLUTION=400x224,FRAME-RATE=12.500,AUDIO="aac",SUBTITLES="subs",CLOSED-CAPTIONS=NONE`
	z, subs := o.rate(audio), o.rate(text)
	x, y := o.rate(low), o.rate(high)
	o.files["master.m3u8"] = file{playlistType, "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n" + media +
		inf(x[0]+z[0]+subs[0], x[1]+z[1]+subs[1], attrs) + "low.m3u8\n" +
		inf(y[0]+z[0]+subs[0], y[1]+z[1]+subs[1], attrs) + "high.m3u8\n" +
		fmt.Sprintf("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,CODECS=\"avc1.42800d\",RESOLUTION=400x224,URI=\"iframes.m3u8\"\n", 188*5*4)}
	return o
}

// highSegment is a segment of the second variant, whose pictures are larger.
func highSegment(n int64, cc map[uint16]byte) *spec {
	s := videoSegment(n)
	s.cc = cc
	for i := range s.units {
		s.units[i].payload = append(s.units[i].payload, fill(150)...)
	}
	return s
}

func inf(peak, average int, attrs string) string {
	return fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,%s\n", peak, average, attrs)
}

// rate is peak and average of segments of two seconds.
func (o *presentation) rate(names []string) [2]int {
	peak, sum := 0, 0
	for _, name := range names {
		n := len(o.files[name].body) * 8 / 2
		peak, sum = max(peak, n), sum+n
	}
	return [2]int{peak + 1, sum / len(names)}
}

// cmafPresentation has video and audio in fragmented MP4.
func cmafPresentation() *presentation {
	o := &presentation{files: map[string]file{}}
	soundInit := initBox([][]byte{initTrackBox(1, 48000, "soun", audioEntry("mp4a"))}, 1)
	o.files["v.mp4"] = file{"video/mp4", string(videoInit())}
	o.files["a.mp4"] = file{"audio/mp4", string(soundInit)}
	var video, audio []string
	for n := range int64(segments) {
		video = append(video, fmt.Sprintf("v%d.m4s", n))
		o.files[video[n]] = file{"video/mp4", string(videoFragment(n).build())}
		audio = append(audio, fmt.Sprintf("a%d.m4s", n))
		a, b := (n*96000+1023)/1024, ((n+1)*96000+1023)/1024
		o.files[audio[n]] = file{"audio/mp4", string(audioFragment(a, b).build())}
	}
	o.files["video.m3u8"] = list("#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"v.mp4\"\n", video...)
	o.files["audio.m3u8"] = list("#EXT-X-VERSION:6\n#EXT-X-MAP:URI=\"a.mp4\"\n", audio...)
	ranges, size := "#EXT-X-VERSION:5\n#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"v.mp4\"\n", 0
	for _, name := range video { // moof and the first sample
		moof := int(binary.BigEndian.Uint32([]byte(o.files[name].body[16:])))
		size = moof + 8 + 4 + len(idr)
		ranges += fmt.Sprintf("#EXTINF:2.000,\n#EXT-X-BYTERANGE:%d@16\n%s\n", size, name)
	}
	o.files["iframes.m3u8"] = list(ranges)
	x, y := o.rate(video), o.rate(audio)
	o.files["master.m3u8"] = file{playlistType, "#EXTM3U\n#EXT-X-VERSION:6\n" +
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"` + "\n" +
		inf(x[0]+y[0], x[1]+y[1], `CODECS="avc1.42800d,mp4a.40.2",RESOLUTION=400x224,FRAME-RATE=12.500,AUDIO="aac",CLOSED-CAPTIONS=NONE`) + "video.m3u8\n" +
		fmt.Sprintf("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,CODECS=\"avc1.42800d\",RESOLUTION=400x224,URI=\"iframes.m3u8\"\n", size*4)}
	return o
}

// muxedPresentation is one media playlist with sound and picture. change may be nil.
func muxedPresentation(change func(n int64, s *spec)) *presentation {
	o := &presentation{files: map[string]file{}}
	cc := map[uint16]byte{}
	var names []string
	for n := range int64(segments) {
		s := muxedSegment(n)
		s.cc = cc
		if change != nil {
			change(n, s)
		}
		names = append(names, fmt.Sprintf("%d.ts", n))
		o.files[names[n]] = file{"video/mp2t", string(s.build())}
	}
	o.files["master.m3u8"] = list(version3, names...)
	return o
}

// encryptedPresentation is one muxed media playlist under AES-128, whose second segment takes its IV from its number.
func encryptedPresentation() *presentation {
	o := &presentation{files: map[string]file{}}
	key := []byte("0123456789abcdef")
	o.files["key.bin"] = file{"application/octet-stream", string(key)}
	cc := map[uint16]byte{}
	var names []string
	for n := range int64(segments) {
		s := muxedSegment(n)
		s.cc = cc
		iv := make([]byte, 16)
		if iv[15] = byte(n); n == 0 {
			iv[15] = 9
		}
		names = append(names, fmt.Sprintf("%d.ts", n))
		o.files[names[n]] = file{"video/mp2t", string(encrypt(key, iv, s.build()))}
	}
	o.files["master.m3u8"] = list(version3+"#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x09\n", names...)
	o.edit("master.m3u8", "#EXTINF:2.000,\n1.ts", "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n#EXTINF:2.000,\n1.ts")
	return o
}

// encrypt does AES-128 with padding.
func encrypt(key, iv, data []byte) []byte {
	n := 16 - len(data)%16
	data = slices.Concat(data, bytes.Repeat([]byte{byte(n)}, n))
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return data
}

// samplePresentation is a muxed media playlist under SAMPLE-AES. Nothing is encrypted really: what is left in the clear
// is what can be checked.
func samplePresentation() *presentation {
	o := muxedPresentation(sampleStreams)
	o.files["key.bin"] = file{"application/octet-stream", "0123456789abcdef"}
	o.edit("master.m3u8", "#EXTINF", "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key.bin\",IV=0x09\n#EXTINF")
	o.edit("master.m3u8", "VERSION:3", "VERSION:5")
	return o
}

// sampleStreams marks the streams of a muxed segment as encrypted.
func sampleStreams(_ int64, s *spec) {
	s.streams[0] = es{0xDB, videoPID, []byte("\x0f\x04zavc")}
	s.streams[1] = es{0xCF, audioPID, []byte("\x0f\x04aacd\x05\x06apadzz")}
}
