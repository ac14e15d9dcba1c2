package playlist

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// programmeName is the name of the presentation of a session without its advertisements, which players put into it.
const programmeName = "programme.ism"

// Formats that are presentations: a request for a playlist in one of them begins a session and is redirected.
const (
	formatHLS           = "hls"
	formatSmooth        = "smooth"
	formatInterstitials = "hls-interstitials"
)

// presentationOf returns the path below a playlist of a new session where a format that is a presentation begins.
func (h *Handler) presentationOf(format, session string) (string, bool) {
	if h.stitched == nil {
		return "", false
	}
	hls := strings.HasPrefix(h.manifestOf("m3u8"), "/manifest")
	switch {
	case strings.EqualFold(format, formatHLS) && hls:
		return "/" + session + "/" + stitchedName + h.manifestOf("m3u8"), true
	case strings.EqualFold(format, formatSmooth):
		return "/" + session + "/" + stitchedName + "/Manifest", true
	case strings.EqualFold(format, formatInterstitials) && hls && h.opts.Interstitials:
		return "/" + session + "/" + programmeName + h.manifestOf("m3u8"), true
	}
	return "", false
}

// redirectTo begins a session whose client goes on at a path below the playlist.
func (h *Handler) redirectTo(w http.ResponseWriter, r *http.Request, s *Session, v *version, below string) error {
	if r.Method != http.MethodHead {
		if err := h.begin(w, r, s, v); err != nil {
			return err
		}
	}
	h.noCache(w.Header())
	w.Header().Set("Access-Control-Allow-Origin", "*")
	http.Redirect(w, r, h.base(r, s.Playlist)+below, http.StatusFound)
	return nil
}

// isAdvertisement reports whether an entry is one: by its role, or, in a list where no entry has a role, by its rule
// that it may not be left.
func isAdvertisement(p *Playlist, e *Entry) bool {
	if slices.ContainsFunc(p.Entries, func(e Entry) bool { return e.Role != "" }) {
		return strings.EqualFold(e.Role, "advertisement")
	}
	return e.NoSkipForward
}

// programme is the presentation of the entries that are no advertisements, for players that put those in themselves.
// It is one for HLS alone: who plays it over Smooth Streaming would see no advertisement.
type programme struct {
	*Stitched
	numbers []int // of entries, by part
	list    *Playlist
	base    string // absolute URL that names of presentations of the session are appended to
	after   string // the name of a presentation, for its manifest
}

// epoch is the wall-clock time at which the programme begins: players find interstitials by dates. It is the same
// always, so that the same list has the same dates.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Snapshot implements smooth.Presentation.
func (p *programme) Snapshot(ctx context.Context) (*smooth.Snapshot, error) {
	s, err := p.Stitched.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	parts, err := p.Parts(ctx)
	if err != nil {
		return nil, err
	}
	out := smooth.NewSnapshot(s.Manifest, s.Validator+"-p")
	out.Edges, out.Gaps, out.Ended, out.ModTime = s.Edges, s.Gaps, s.Ended, s.ModTime
	out.NotSmooth = fmt.Errorf("playlist: without its advertisements: %w", smooth.ErrUnsupported)
	scale := s.Manifest.Timescale
	if scale == 0 {
		scale = smooth.DefaultTimescale
	}
	out.Periods = slices.Clone(s.Periods)
	for i := range out.Periods {
		out.Periods[i].Wall = epoch.Add(time.Duration(smooth.Rescale(out.Periods[i].Start, scale, uint64(time.Second))))
	}
	out.Interstitials = p.interstitials(parts, scale)
	return out, nil
}

// interstitials returns the advertisements, where the programme goes on behind them. Those before everything and after
// everything are such for players, too.
func (p *programme) interstitials(parts []StitchedPart, scale uint64) (list []smooth.Interstitial) {
	next, at := 0, time.Duration(0)
	for i := range p.list.Entries {
		e := &p.list.Entries[i]
		for next < len(p.numbers) && p.numbers[next] < i+1 { // the programme before it has been passed
			if part := &parts[next]; part.Err == nil {
				at = part.Start + part.Duration
			}
			next++
		}
		if !isAdvertisement(p.list, e) || !isPresentation(e) && !isMP4(e) {
			continue
		}
		id := path{i + 1}.String()
		list = append(list, smooth.Interstitial{
			ID: "entry-" + id, URI: p.base + id + ".ism" + p.after, Duration: e.Duration,
			At: smooth.Rescale(uint64(at), uint64(time.Second), scale), NoSkip: e.NoSkipForward || e.NoSeek, NoJump: e.NoSkipForward,
			Pre: at == 0, Post: next == len(p.numbers), Once: e.NoSkipBack,
		})
	}
	return list
}
