package validate

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// URL checks a presentation over HTTP: target is the URL of its manifest, or of the presentation (Name.ism), to which
// /Manifest is added. The error is one of usage or of the network, when there was no answer at all; whatever the
// server answers is in the report.
func URL(ctx context.Context, target string, opts *Options) (*Report, error) {
	o := opts.withDefaults()
	rec := newRecorder(o.MaxPerRule)
	w := &walk{fetcher: newFetcher(o, rec)}
	defer w.client.Close()
	if err := w.locate(target); err != nil {
		return nil, err
	}
	if err := w.manifest(ctx); err != nil {
		return nil, err
	}
	return rec.Report(), ctx.Err()
}

// walk is the check of one presentation.
type walk struct {
	*fetcher
	target string // the manifest's URL
	base   string // the presentation's URL with a slash at the end
	query  string // with the question mark, or empty
	p      *presentation
}

// isPresentation reports whether a name with this extension takes a request for its manifest below it: that of a
// server manifest, or of a single media file.
func isPresentation(ext string) bool {
	switch strings.ToLower(ext) {
	case ".ism", ".isml", ".mp4", ".m4v", ".m4a", ".mov", ".ismv", ".isma":
		return true
	}
	return false
}

// locate finds the manifest of target, which is its URL or that of the presentation.
func (w *walk) locate(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("validate: %q is not an http or https URL", target)
	}
	if u.RawQuery != "" {
		w.query = "?" + u.RawQuery
	}
	u.RawQuery, u.Fragment = "", ""
	plain := u.String()
	if bare := strings.TrimSuffix(plain, "/"); isPresentation(path.Ext(bare)) {
		plain = bare + "/Manifest"
	}
	w.target = plain + w.query
	w.base = plain[:strings.LastIndexByte(plain, '/')+1]
	return nil
}

// manifest gets the manifest and goes on to the fragments if it is one.
func (w *walk) manifest(ctx context.Context) error {
	a, err := w.do(ctx, http.MethodGet, w.target, MaxManifestSize)
	if err != nil {
		return err
	}
	p := Place{Document: w.target}
	switch {
	case a.IsRedirect():
		w.rec.Add("SH103", p, "%s", redirectHint(a))
		return nil
	case a.Status != http.StatusOK:
		w.rec.Add("SH101", p, "%s", a.StatusHint(meanings))
		return nil
	case a.IsHTML():
		w.rec.Add("SH102", p, "%s", htmlHint)
		return nil
	}
	switch t := a.MediaType(); t {
	case "text/xml", "application/xml", "application/vnd.ms-sstr+xml":
	default:
		w.rec.Add("SH104", p, "Content-Type is %q: does a static file server hand out the .ismc?", t)
	}
	w.common(a, p)
	w.p = checkManifest(w.rec, w.target, a.Body)
	if w.p == nil || w.opts.ManifestOnly {
		return nil
	}
	w.unanswered(ctx, w.head(ctx, a, "SH106"))
	w.tracks(ctx)
	w.unanswered(ctx, w.probes(ctx, a))
	return nil
}

// unanswered reports a request that got no answer, from a server that has answered others, unless the check was
// cancelled.
func (w *walk) unanswered(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		w.rec.Add("SH108", Place{Document: w.target}, "%v", err)
	}
}

// head compares the answer to HEAD with that to GET.
func (w *walk) head(ctx context.Context, got *answer, id string) error {
	a, err := w.do(ctx, http.MethodHead, got.URL, 0)
	if err != nil {
		return err
	}
	p := Place{Document: got.URL}
	switch {
	case a.Status != http.StatusOK:
		w.rec.Add(id, p, "HEAD answers status %d, GET 200", a.Status)
	case a.MediaType() != got.MediaType() || a.Length >= 0 && a.Length != int64(len(got.Body)):
		w.rec.Add(id, p, "HEAD answers %q of %d bytes, GET %q of %d", a.MediaType(), a.Length, got.MediaType(), len(got.Body))
	}
	return nil
}

// fragmentURL fills the template of the stream.
func (w *walk) fragmentURL(s *stream, l *level, time uint64) string {
	var attrs []string
	for _, a := range l.attrs {
		attrs = append(attrs, a[0]+"="+a[1])
	}
	path := strings.NewReplacer(
		"{bitrate}", l.bitrate, "{Bitrate}", l.bitrate,
		"{start time}", fmt.Sprint(time), "{start_time}", fmt.Sprint(time),
		"{CustomAttributes}", strings.Join(attrs, ","), " ", "%20",
	).Replace(s.url)
	query := w.query
	if strings.Contains(path, "?") {
		query = strings.Replace(query, "?", "&", 1)
	}
	return w.base + path + query
}

// tracks checks the fragments of all tracks, some tracks at the same time, each in order of time.
func (w *walk) tracks(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, w.opts.Concurrency)
	for _, s := range w.p.streams {
		if s.url == "" || !urlPattern.MatchString(s.url) {
			continue
		}
		for _, l := range s.levels {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				t := &track{walk: w, s: s, l: l}
				t.run(ctx)
			})
		}
	}
	wg.Wait()
}

// picked iterates over the chunks to check, with their positions.
func (s *stream) picked(sampleCount int) iter.Seq2[uint64, smooth.Chunk] {
	total := s.count()
	nth := func(i uint64) uint64 { return i } // the position of pick i
	if total > maxPerTrack && sampleCount <= 0 {
		sampleCount = maxPerTrack
	}
	n := total
	if k := uint64(max(sampleCount, 0)); k > 0 && k < total {
		n = k
		nth = func(i uint64) uint64 { return smooth.Rescale(i, max(k-1, 1), total-1) }
	}
	return func(yield func(uint64, smooth.Chunk) bool) {
		at, first := 0, uint64(0) // run and the position of its first chunk
		for i := range n {
			pos := nth(i)
			for pos-first >= s.runs[at].n {
				first += s.runs[at].n
				at++
			}
			r := s.runs[at]
			if !yield(pos, smooth.Chunk{Time: r.time + (pos-first)*r.duration, Duration: r.duration}) {
				return
			}
		}
	}
}

// following returns up to n chunks after the one that starts at time t.
func (s *stream) following(t uint64, n int) []smooth.Chunk {
	var out []smooth.Chunk
	for _, r := range s.runs {
		if r.end() <= t {
			continue
		}
		i := uint64(0)
		if t >= r.time {
			i = (t-r.time)/r.duration + 1
		}
		for ; i < r.n && len(out) < n; i++ {
			out = append(out, smooth.Chunk{Time: r.time + i*r.duration, Duration: r.duration})
		}
	}
	return out
}
