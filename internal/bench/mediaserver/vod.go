package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
)

// expected is what the presentation on demand must be: bodies by their paths.
type expected struct {
	fragments, segments []string
	bodies              map[string][]byte
}

// expect makes every body of the presentation with the packages, in this process, and looks up the samples of its fragments in
// the files.
func expect(s *site) (*expected, error) {
	src := smooth.Dir(s.root, nil)
	defer src.Close()
	log := slog.New(slog.DiscardHandler)
	output := hls.NewOutput(&hls.Options{Logger: log})
	defer output.Close()
	h := smooth.NewHandler(src, &smooth.HandlerOptions{Logger: log, Outputs: []smooth.Output{output}})
	e := &expected{bodies: make(map[string][]byte)}
	text, err := e.fetch(h, "/"+vodName+"/Manifest")
	if err != nil {
		return nil, err
	}
	m, err := smooth.ParseManifest(text)
	if err != nil {
		return nil, err
	}
	for _, st := range m.Streams {
		for _, lv := range st.Levels {
			for _, chunk := range st.Timeline {
				e.fragments = append(e.fragments, fmt.Sprintf("/%s/QualityLevels(%d)/Fragments(%s=%d)", vodName, lv.Bitrate, st.Name, chunk.Time))
			}
		}
	}
	for _, name := range e.fragments {
		if _, err := e.fetch(h, name); err != nil {
			return nil, err
		}
	}
	for _, format := range []string{"m3u8-aapl", "m3u8-cmaf"} {
		if err := e.expectHLS(h, format); err != nil {
			return nil, err
		}
	}
	return e, e.lookUp(filepath.Join(s.root, "vod"))
}

// expectHLS adds playlists and segments of all variants in a format.
func (e *expected) expectHLS(h http.Handler, format string) error {
	master := fmt.Sprintf("/%s/Manifest(format=%s).m3u8", vodName, format)
	text, err := e.fetch(h, master)
	if err != nil {
		return err
	}
	for _, variant := range entries(text) {
		list := path.Join(path.Dir(master), variant)
		if text, err = e.fetch(h, list); err != nil {
			return err
		}
		for _, segment := range entries(text) {
			name := path.Join(path.Dir(list), segment)
			if _, err := e.fetch(h, name); err != nil {
				return err
			}
			e.segments = append(e.segments, name)
		}
		e.segments = append(e.segments, list)
	}
	return nil
}

func (e *expected) fetch(h http.Handler, target string) ([]byte, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", target, w.Code)
	}
	e.bodies[target] = w.Body.Bytes()
	return w.Body.Bytes(), nil
}

// lookUp checks that the samples of each fragment are in one of the media files of a directory as they were sent.
func (e *expected) lookUp(dir string) error {
	var files [][]byte
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if ext := path.Ext(name); err != nil || ext != ".ismv" && ext != ".isma" && ext != ".ismt" {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files = append(files, b)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range e.fragments {
		samples, err := payload(e.bodies[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found := false
		for _, b := range files {
			found = found || bytes.Contains(b, samples)
		}
		if !found {
			return fmt.Errorf("%s: its %d bytes of samples are in no file", name, len(samples))
		}
	}
	return nil
}

// seek is a viewer who jumps about in the presentation on demand.
func (m *mix) seek(ctx context.Context) {
	c := m.newClient("on-demand seeks")
	defer c.close()
	for pause(ctx, rand.N(m.pace)) {
		name := m.expected.fragments[rand.IntN(len(m.expected.fragments))]
		want := m.expected.bodies[name]
		switch rand.IntN(8) {
		case 0:
			from := rand.IntN(len(want))
			until := from + rand.IntN(len(want)-from)
			a := c.get(ctx, name, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, until)}}, http.StatusPartialContent)
			if a.ok {
				c.compare(name, a.body, want[from:until+1])
			}
		case 1:
			name = "/" + vodName + "/Manifest"
			if a := c.get(ctx, name, nil); a.ok {
				c.compare(name, a.body, m.expected.bodies[name])
			}
		case 2: // it changes its mind
			ctx, leave := context.WithTimeout(ctx, rand.N(m.pace/50))
			c.get(ctx, name, nil)
			leave()
		default:
			if a := c.get(ctx, name, nil); a.ok {
				c.compare(name, a.body, want)
			}
		}
	}
}

// watchSegments is a viewer of the presentation on demand in HLS.
func (m *mix) watchSegments(ctx context.Context) {
	c := m.newClient("on-demand HLS")
	defer c.close()
	for pause(ctx, rand.N(2*m.pace)) {
		name := m.expected.segments[rand.IntN(len(m.expected.segments))]
		if a := c.get(ctx, name, nil); a.ok {
			c.compare(name, a.body, m.expected.bodies[name])
		}
	}
}
