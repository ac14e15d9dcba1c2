package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
	"github.com/smoothkit/smoothkit/smooth"
)

// demoName is the publishing point that is always there.
const demoName = "live/demo.isml"

// demoWindow is how far back viewers of the demo may go.
const demoWindow = 10 * time.Minute

// addLive puts publishing points before the mux: the demo, those of the .isml files below the root, and their management.
func (s *Server) addLive(root string) error {
	var err error
	if s.spool, err = livesmooth.NewSpool(os.TempDir(), &livesmooth.SpoolOptions{Logger: s.log}); err != nil {
		return err
	}
	demo := livesmooth.DefaultSettings()
	demo.Title = "Demo"
	demo.AutoStart, demo.AutoRestart = true, true
	demo.Viewers.WindowLength = demoWindow
	demo.Archive.Enabled = s.archive != nil
	s.live, err = livesmooth.NewServer(&livesmooth.Options{
		Logger:  s.log,
		Root:    root,
		Points:  map[string]*livesmooth.Settings{demoName: demo},
		Sinks:   s.sinks,
		Viewers: &smooth.HandlerOptions{Logger: s.log, Outputs: []smooth.Output{s.hls}},
		Outputs: func(point string, set *livesmooth.Settings) []smooth.Output { return liveOutputs(point, set, s.log) },
		Next:    s.mux,
	})
	if err != nil {
		return err
	}
	s.handler, err = manage.NewHandler(s.live, &manage.Options{Authorize: onlyLocal, Next: s.live})
	return err
}

// onlyLocal lets programs of this machine manage publishing points, and nobody else. A name that leads here, which a page
// elsewhere may have been loaded under, is not enough.
func onlyLocal(r *http.Request, _ manage.Operation) error {
	for _, addr := range []string{r.RemoteAddr, r.Host} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return errors.New("management is for programs of this machine")
		}
	}
	return nil
}

// liveOutputs returns the HLS output of a point that needs one of its own: its .isml file has settings for it, its window has
// no room for segments of the usual length, or its next event has the same URLs. The others share the server's.
func liveOutputs(point string, set *livesmooth.Settings, log *slog.Logger) []smooth.Output {
	length, fits := segmentLength(set)
	if !fits {
		log.Warn("segments of HLS are shortened, so that three are in the window", "point", point, "length", length.String())
	}
	opts := &hls.Options{Logger: log, SegmentDuration: length}
	if set.AutoRestart {
		opts.SegmentMaxAge = livesmooth.RestartMaxAge
	}
	switch {
	case set.HLS != nil:
		if err := useSettings(opts, set.HLS); err != nil {
			log.Error("no key for HLS", "point", point, "err", err)
			return nil
		}
	case fits && !set.AutoRestart:
		return nil
	}
	return []smooth.Output{hls.NewOutput(opts)}
}

// segmentLength returns the length of the segments of HLS, zero for the usual one, and whether that of the settings fits into
// the window three times: players start three segments before the end, and of less than one there is nothing to show.
func segmentLength(set *livesmooth.Settings) (length time.Duration, fits bool) {
	const usual = 6 * time.Second // of package hls
	if h := set.HLS; h != nil {
		length = cmp.Or(h.SegmentLength, livesmooth.DefaultHLSSegmentLength)
	}
	window := set.Viewers.WindowLength
	if window == 0 || 3*cmp.Or(length, usual) <= window {
		return length, true
	}
	return max((window / 3).Truncate(time.Second), time.Second), false
}

// useSettings makes options of the settings of an .isml file.
func useSettings(opts *hls.Options, h *livesmooth.HLSSettings) error {
	opts.MaxBitrate = cmp.Or(h.MaxBitrate, livesmooth.DefaultHLSMaxBitrate)
	opts.OmitCodecs, opts.DisallowCaching = !h.IncludeCodecs, !h.AllowCaching
	if !h.Encrypt {
		return nil
	}
	key, err := hlsKey(h.Key)
	if err != nil {
		return err
	}
	opts.Encryption = &hls.Encryption{Keys: key}
	return nil
}

// hlsKey returns the key of the settings, or one that is made up if there is none.
func hlsKey(b []byte) (hls.StaticKey, error) {
	var key hls.StaticKey
	switch len(b) {
	case 0:
		_, err := rand.Read(key[:])
		return key, err
	case len(key):
		copy(key[:], b)
		return key, nil
	}
	return key, fmt.Errorf("key of %d bytes, want %d", len(b), len(key))
}
