package validate_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// origin is a small correct server of one presentation, independent of the module's own handler. The fields break it.
type origin struct {
	manifest string
	// intercept, if it returns true, has answered the request.
	intercept func(w http.ResponseWriter, r *http.Request) bool
	// fragment changes the specification of a fragment.
	fragment func(s *spec, stream string, time uint64)
	// header changes the headers before they are sent; noun is "Manifest" or that of the fragment.
	header func(h http.Header, noun string)
	// body changes a body.
	body func(b []byte, noun string) []byte
}

const originPath = "/vod/a.ism/"

var fragmentPath = regexp.MustCompile(`(?i)^QualityLevels\((\d+)\)/(Fragments|FragmentInfo|RawFragments|KeyFrames)\((\w+)=(\d+)\)$`)

func (o *origin) start(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	return srv.URL + originPath + "Manifest"
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.intercept != nil && o.intercept(w, r) {
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, originPath)
	m := fragmentPath.FindStringSubmatch(rest)
	switch {
	case ok && strings.EqualFold(rest, "Manifest"):
		o.send(w, r, "text/xml", []byte(o.manifest), "Manifest")
	case ok && m != nil:
		o.serveFragment(w, r, m[1], m[2], m[3], m[4])
	case ok && strings.HasPrefix(rest, "Quality"):
		http.Error(w, "bad request", http.StatusBadRequest)
	default:
		http.NotFound(w, r)
	}
}

// serveFragment knows the presentation "plain": two seconds of video, four of audio, one text.
func (o *origin) serveFragment(w http.ResponseWriter, r *http.Request, bitrate, noun, stream, text string) {
	t, _ := strconv.ParseUint(text, 10, 64)
	var s *spec
	typ := "video/mp4"
	start := uint64(0)
	if o.manifest == live {
		start = liveStart
	}
	switch {
	case stream == "video" && t >= start+80000000 && start > 0:
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	case stream == "video" && (bitrate == "300000" || bitrate == "750000") && t < start+80000000 && (t-start)%20000000 == 0:
		s = videoSpec(t)
	case stream == "audio_eng" && bitrate == "96000" && (t == 0 || t == 40000000):
		s, typ = audioSpec(t, 40000000-t/400), "audio/mp4"
	case stream == "text_eng" && bitrate == "1000" && t == 0:
		s = textSpec(0, 80000000, ttmlDoc)
	default:
		w.Header().Set("Cache-Control", "max-age=5")
		http.NotFound(w, r)
		return
	}
	if start > 0 {
		s.sequence = uint32((t - start) / 20000000)
		if t == start {
			s.after = [][]byte{tfrfBox(1, t+20000000, 20000000)}
		}
	}
	if o.fragment != nil {
		o.fragment(s, stream, t)
	}
	o.send(w, r, typ, nounBody(s, noun), canonicalNoun(noun))
}

func canonicalNoun(noun string) string {
	for _, n := range []string{"Fragments", "FragmentInfo", "RawFragments", "KeyFrames"} {
		if strings.EqualFold(n, noun) {
			return n
		}
	}
	return noun
}

func nounBody(s *spec, noun string) []byte {
	whole := s.build()
	moofSize := int(whole[2])<<8 | int(whole[3])
	switch canonicalNoun(noun) {
	case "FragmentInfo":
		return whole[:moofSize]
	case "RawFragments":
		return whole[moofSize+8:]
	case "KeyFrames":
		var keep []sample
		for _, x := range s.samples {
			if x.flags&0x10000 == 0 {
				keep = append(keep, x)
			}
		}
		s.samples = keep
		return s.build()
	}
	return whole
}

func (o *origin) send(w http.ResponseWriter, r *http.Request, typ string, body []byte, noun string) {
	if o.body != nil {
		body = o.body(body, noun)
	}
	h := w.Header()
	h.Set("Content-Type", typ)
	h.Set("ETag", fmt.Sprintf(`"%d"`, len(body)))
	h.Set("Cache-Control", "public, max-age=3600")
	if o.manifest == live && noun == "Manifest" {
		h.Set("Cache-Control", "max-age=1")
	}
	h.Set("Access-Control-Allow-Origin", "*")
	if o.header != nil {
		o.header(h, noun)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
