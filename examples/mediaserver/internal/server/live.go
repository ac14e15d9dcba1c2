package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// demoName is the publishing point that is always there.
const demoName = "live/demo.isml"

// demoWindow is how far back viewers of the demo may go.
const demoWindow = 10 * time.Minute

// addLive puts publishing points before the mux: those of the .isml files below the root, and the demo, which a file of that
// name replaces.
func (s *Server) addLive(cfg Config) error {
	var err error
	if s.spool, err = livesmooth.NewSpool(os.TempDir(), &livesmooth.SpoolOptions{Logger: s.log}); err != nil {
		return err
	}
	s.handler = s.mux
	if cfg.Root != "" {
		if err := s.addPoints(livesmooth.Options{Root: cfg.Root}); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(cfg.Root, filepath.FromSlash(demoName))); err == nil {
			return nil
		}
	}
	if err := s.addPoints(livesmooth.Options{}); err != nil {
		return err
	}
	demo := livesmooth.DefaultSettings()
	demo.Title = "Demo"
	demo.AutoStart, demo.AutoRestart = true, true
	demo.Viewers.WindowLength = demoWindow
	_, err = s.live[len(s.live)-1].Create(context.Background(), demoName, demo)
	return err
}

// addPoints adds a server of publishing points before the handler.
func (s *Server) addPoints(opts livesmooth.Options) error {
	opts.Logger, opts.Next = s.log, s.handler
	opts.Viewers = &smooth.HandlerOptions{Logger: s.log, Outputs: []smooth.Output{s.hls}}
	opts.Sinks = func(string, *livesmooth.Settings) []livesmooth.Sink { return []livesmooth.Sink{s.spool} }
	opts.Outputs = func(point string, set *livesmooth.Settings) []smooth.Output { return liveOutputs(point, set, s.log) }
	live, err := livesmooth.NewServer(&opts)
	if err != nil {
		return err
	}
	s.live = append(s.live, live)
	s.handler = live
	return nil
}

// liveOutputs returns the HLS output of a point whose .isml file has settings for it. The others share the server's.
func liveOutputs(point string, set *livesmooth.Settings, log *slog.Logger) []smooth.Output {
	h := set.HLS
	if h == nil {
		return nil
	}
	opts := &hls.Options{
		Logger: log, SegmentDuration: h.SegmentLength, MaxBitrate: h.MaxBitrate, OmitCodecs: !h.IncludeCodecs,
		DisallowCaching: !h.AllowCaching,
	}
	if h.SegmentLength == 0 {
		opts.SegmentDuration = livesmooth.DefaultHLSSegmentLength
	}
	if h.MaxBitrate == 0 {
		opts.MaxBitrate = livesmooth.DefaultHLSMaxBitrate
	}
	if h.Encrypt {
		key, err := hlsKey(h.Key)
		if err != nil {
			log.Error("no key for HLS", "point", point, "err", err)
			return nil
		}
		opts.Encryption = &hls.Encryption{Keys: key}
	}
	return []smooth.Output{hls.NewOutput(opts)}
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
