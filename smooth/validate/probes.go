package validate

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// probes asks for what does not exist and in ways that caches and proxies ask. m is the answer with the manifest.
func (w *walk) probes(ctx context.Context, m *answer) error {
	s := w.probeStream()
	w.liveLifetime(m)
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return w.openRange(ctx, m) },
		func(ctx context.Context) error { return w.conditional(ctx, m) },
		func(ctx context.Context) error { return w.tolerance(ctx, m) },
		func(ctx context.Context) error { return w.serverManifest(ctx) },
	}
	if s != nil {
		steps = append(steps,
			func(ctx context.Context) error { return w.unknown(ctx, s) },
			func(ctx context.Context) error { return w.malformed(ctx, s) },
			func(ctx context.Context) error { return w.notYet(ctx, s) },
			func(ctx context.Context) error { return w.fragmentWays(ctx, s) },
		)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// probeStream is the first audio or video stream that can be asked for.
func (w *walk) probeStream() *stream {
	for _, s := range w.p.streams {
		if s.mainline() && len(s.levels) > 0 && urlPattern.MatchString(s.url) {
			return s
		}
	}
	return nil
}

func (w *walk) get(ctx context.Context, target string, headers ...string) (*answer, error) {
	return w.do(ctx, http.MethodGet, target, max(w.opts.MaxFragmentSize, MaxManifestSize), headers...)
}

// conditional asks for the manifest with its own ETag.
func (w *walk) conditional(ctx context.Context, m *answer) error {
	tag := m.Header.Get("ETag")
	if tag == "" || w.p.live {
		return nil
	}
	a, err := w.get(ctx, w.target, "If-None-Match", tag)
	if err == nil && a.Status != http.StatusNotModified {
		w.rec.Add("SH142", Place{Document: w.target}, "If-None-Match: %s answers status %d", tag, a.Status)
	}
	return err
}

// openRange asks for the manifest as VLC does.
func (w *walk) openRange(ctx context.Context, m *answer) error {
	a, err := w.get(ctx, w.target, "Range", "bytes=0-")
	if err != nil {
		return err
	}
	ok := a.Status == http.StatusOK || a.Status == http.StatusPartialContent
	if !ok || !w.p.live && !bytes.Equal(a.Body, m.Body) {
		w.rec.Add("SH148", Place{Document: w.target},
			"status %d, %d bytes, without Range 200 and %d", a.Status, len(a.Body), len(m.Body))
	}
	return nil
}

// liveLifetime checks how long caches may keep a live manifest.
func (w *walk) liveLifetime(m *answer) {
	s := w.probeStream()
	if !w.p.live || s == nil {
		return
	}
	if age := m.MaxAge(); age > 0 && uint64(age)*1000 > s.longest() {
		w.rec.Add("SH138", Place{Document: w.target}, "Cache-Control is %q, a fragment of stream %s lasts %d ms",
			m.Header.Get("Cache-Control"), s.name, s.longest())
	}
}

// tolerance asks for the manifest in lower case and with a query.
func (w *walk) tolerance(ctx context.Context, m *answer) error {
	lower := strings.Replace(w.target, w.base, "", 1)
	lower = w.base + strings.Replace(lower, "Manifest", "manifest", 1)
	a, err := w.get(ctx, lower)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		w.rec.Add("SH152", Place{Document: lower}, "%s", a.StatusHint(meanings))
	}
	separator := "?"
	if w.query != "" {
		separator = "&"
	}
	query := w.target + separator + "smoothkit=1"
	a, err = w.get(ctx, query)
	if err == nil && (a.Status != http.StatusOK || !w.p.live && !bytes.Equal(a.Body, m.Body)) {
		w.rec.Add("SH153", Place{Document: query}, "status %d, %d bytes, without the query 200 and %d bytes",
			a.Status, len(a.Body), len(m.Body))
	}
	return err
}

// serverManifest asks for Name.ism itself.
func (w *walk) serverManifest(ctx context.Context) error {
	target := strings.TrimSuffix(w.base, "/")
	lower := strings.ToLower(target)
	if !strings.HasSuffix(lower, ".ism") && !strings.HasSuffix(lower, ".isml") {
		return nil
	}
	a, err := w.get(ctx, target+w.query)
	if err == nil && a.Status == http.StatusOK && bytes.Contains(bytes.ToLower(a.Body), []byte("<smil")) {
		w.rec.Add("SH137", Place{Document: target},
			"the answer is a SMIL document of %d bytes: does a file server share the directory?",
			len(a.Body))
	}
	return err
}

// unknown asks for a time, a bit rate and a stream that do not exist.
func (w *walk) unknown(ctx context.Context, s *stream) error {
	r := s.runs[0]
	odd := *s.levels[0]
	odd.bitrate = "4294967291"
	other := *s
	other.url = strings.Replace(s.url, "Fragments("+s.name+"=", "Fragments(no_such_stream=", 1)
	for _, probe := range []struct{ id, target string }{
		{"SH131", w.fragmentURL(s, s.levels[0], r.time+r.duration/2+1)},
		{"SH132", w.fragmentURL(s, &odd, r.time)},
		{"SH133", w.fragmentURL(&other, s.levels[0], r.time)},
	} {
		if probe.id == "SH131" && r.duration < 4 {
			continue // no time in between
		}
		a, err := w.get(ctx, probe.target)
		if err != nil {
			return err
		}
		p := Place{Document: probe.target}
		switch {
		case a.Status != http.StatusNotFound && a.Status != http.StatusGone:
			text := fmt.Sprintf("status %d", a.Status)
			if a.IsHTML() {
				text += "; " + htmlHint
			}
			w.rec.Add(probe.id, p, "%s", text)
		case a.MaxAge() > 60:
			w.rec.Add("SH135", p, "Cache-Control is %q", a.Header.Get("Cache-Control"))
		}
	}
	return nil
}

// malformed asks with a URL outside the grammar.
func (w *walk) malformed(ctx context.Context, s *stream) error {
	for _, level := range []string{"QualityLevels(abc)", "QualityLevels(1"} {
		path := level + "/Fragments(" + s.name + "=0)"
		a, err := w.get(ctx, w.base+path+w.query)
		if err != nil {
			return err
		}
		if a.Status != http.StatusBadRequest {
			w.rec.Add("SH134", Place{Document: a.URL}, "status %d", a.Status)
		}
	}
	return nil
}

// notYet asks a live presentation for a fragment a day ahead.
func (w *walk) notYet(ctx context.Context, s *stream) error {
	if !w.p.live {
		return nil
	}
	target := w.fragmentURL(s, s.levels[0], s.end()+86400*s.timescale)
	a, err := w.get(ctx, target)
	if err != nil {
		return err
	}
	p := Place{Document: target}
	if a.Status != http.StatusPreconditionFailed || len(a.Body) > 0 {
		w.rec.Add("SH136", p, "status %d with %d bytes", a.Status, len(a.Body))
	} else if a.MaxAge() > 60 {
		w.rec.Add("SH135", p, "Cache-Control is %q", a.Header.Get("Cache-Control"))
	}
	return nil
}

// fragmentWays asks for one fragment with encoded delimiters, in ranges and conditionally.
func (w *walk) fragmentWays(ctx context.Context, s *stream) error {
	target := w.fragmentURL(s, s.levels[0], s.runs[0].time)
	whole, err := w.get(ctx, target)
	if err != nil || whole.Status != http.StatusOK || whole.Large {
		return err // reported by the track
	}
	relative := strings.TrimPrefix(target, w.base)
	encoder := strings.NewReplacer("(", "%28", ")", "%29", "=", "%3D")
	encoded := w.base + encoder.Replace(strings.TrimSuffix(relative, w.query)) + w.query
	for _, probe := range []struct{ id, target string }{
		{"SH151", encoded},
		{"SH152", w.base + strings.NewReplacer("QualityLevels(", "qualitylevels(", "Fragments(", "fragments(").Replace(relative)},
	} {
		a, err := w.get(ctx, probe.target)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK || !bytes.Equal(a.Body, whole.Body) {
			w.rec.Add(probe.id, Place{Document: probe.target},
				"status %d, %d bytes, the plain form has %d", a.Status, len(a.Body), len(whole.Body))
		}
	}
	if err := w.ranges(ctx, whole); err != nil {
		return err
	}
	tag := whole.Header.Get("ETag")
	if tag == "" {
		return nil
	}
	a, err := w.get(ctx, target, "If-None-Match", tag)
	if err == nil && a.Status != http.StatusNotModified {
		w.rec.Add("SH142", Place{Document: target}, "If-None-Match: %s answers status %d", tag, a.Status)
	}
	return err
}

func (w *walk) ranges(ctx context.Context, whole *answer) error {
	n := len(whole.Body)
	if n < 8 {
		return nil
	}
	a, err := w.get(ctx, whole.URL, "Range", "bytes=4-7")
	if err != nil {
		return err
	}
	p := Place{Document: whole.URL}
	want := fmt.Sprintf("bytes 4-7/%d", n)
	switch {
	case a.Status == http.StatusPartialContent && bytes.Equal(a.Body, whole.Body[4:8]) && a.Header.Get("Content-Range") == want:
	case a.Status == http.StatusOK && bytes.Equal(a.Body, whole.Body):
		return nil // ranges are not supported
	default:
		w.rec.Add("SH146", p,
			"bytes 4-7 of %d: status %d, Content-Range %q, %d bytes", n, a.Status, a.Header.Get("Content-Range"), len(a.Body))
		return nil
	}
	a, err = w.get(ctx, whole.URL, "Range", fmt.Sprintf("bytes=%d-", n))
	if err == nil && a.Status != http.StatusRequestedRangeNotSatisfiable {
		w.rec.Add("SH147", p, "bytes %d- of %d: status %d", n, n, a.Status)
	}
	return err
}
