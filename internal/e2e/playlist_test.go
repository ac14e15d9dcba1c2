package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// TestPlaylistPlayers plays a programme with an advertisement that may not be skipped, from examples/playlist: on the
// page, and as one presentation in the players of browsers, which change from part to part without a pause and get
// nothing that they should not have yet.
func TestPlaylistPlayers(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	_, base := startPlaylists(t, buildExample(t, "playlist"), playlistMedia(t))
	list := base + "watch/tonight.isx"
	players := map[string]string{"hls": list + "?format=hls", "dash": list + "?format=smooth", "native": list + "?format=hls"}
	clients := map[string]func() error{
		"page": func() error {
			r, err := playList(t, listOrder{Player: "list", URL: list, Chromium: browser, Screenshot: screenshot(t, "page")})
			return errors.Join(err, r.checkPage())
		},
		"page, one stream": func() error {
			r, err := playList(t, listOrder{Player: "list", URL: list, Stream: adWidth, Chromium: browser})
			return errors.Join(err, r.checkStream())
		},
	}
	for player, url := range players {
		clients[player] = func() error {
			r, err := playList(t, listOrder{Player: player, URL: url, To: firstPart + adPart + 3, Ahead: 30, Chromium: browser})
			return errors.Join(err, r.checkParts())
		}
		clients[player+", cheating"] = func() error {
			const inAd, behindAd = firstPart + 15, firstPart + adPart + 4
			r, err := playList(t, listOrder{Player: player, URL: url, Cheat: []float64{behindAd, inAd}, Ahead: 4, Chromium: browser})
			return errors.Join(err, r.checkCheat())
		}
	}
	together(t, clients)
}

// screenshot returns where one goes, in the directory of SMOOTHKIT_SCREENSHOTS if that is set, to be looked at.
func screenshot(t *testing.T, name string) string {
	dir := os.Getenv("SMOOTHKIT_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	return filepath.Join(dir, name+".png")
}

// complaints are errors of the player, and of requests.
func (r *listReport) complaints() error {
	if len(r.Errors) > 0 || len(r.Failed) > 0 {
		return fmt.Errorf("errors %q, failed requests %q", r.Errors, r.Failed)
	}
	return nil
}

// refusals are the attempts of the driver in the advertisement, in their order, each of which the page refuses.
var refusals = []string{"arrow", "n", "next", "list", "bar", "script", "speed"}

// checkPage says what the page of a playlist did wrong.
func (r *listReport) checkPage() error {
	if r == nil {
		return nil
	}
	errs := []error{r.complaints()}
	expect := func(ok bool, step string) {
		if !ok {
			errs = append(errs, fmt.Errorf("page, %s: %+v", step, r.Steps[step]))
		}
	}
	at := func(step string) pageStep { return r.Steps[step] }
	expect(at("opened").State == "idle" && at("opened").Entry == "1", "opened")
	expect(at("programme").Width == programmeWidth && at("programme").Reason == "", "programme")
	ad := at("advertisement")
	expect(ad.Width == adWidth && ad.NextOff && ad.SeekOff && ad.Refused == 0, "advertisement")
	expect(ad.Reason == "Advertisement: skipping is off until it has played, seeking is off.", "advertisement")
	for i, step := range refusals {
		s := at(step)
		expect(s.Refused == i+1 && s.Entry == "2" && s.State == "playing" && s.Message != "", step)
		expect(s.Time < ad.Time+float64(i+1)*2 && s.Rate == 1, step)
	}
	expect(at("paused").State == "paused" && at("resumed").State == "playing" && at("muted").Muted, "muted")
	expect(at("rest").Width == programmeWidth && at("rest").Refused == len(refusals) && !at("rest").SeekOff, "rest")
	expect(at("sought").Time > 5 && at("sought").Refused == len(refusals), "sought")
	expect(at("ended").Message == "The end.", "ended")
	if r.Asked.Status != http.StatusForbidden || r.Asked.Rule != "no-skip-forward" {
		errs = append(errs, fmt.Errorf("the server on an entry behind the advertisement: %+v", r.Asked))
	}
	for _, gap := range r.Gaps {
		errs = append(errs, within("seconds between entries", gap, 0, 1.5))
	}
	return errors.Join(errs...)
}

// checkStream says what the page did wrong with all entries as one stream. Chromium gives up what it plays when the server
// refuses a segment, so that the page goes on entry by entry after a seek by a script.
func (r *listReport) checkStream() error {
	if r == nil {
		return nil
	}
	errs := []error{r.complaints()}
	if s := r.Steps["stream"]; s.Width != adWidth || !s.SeekOff {
		errs = append(errs, fmt.Errorf("page, one stream: %+v", s))
	}
	for i, step := range []string{"stream", "script"} {
		s := r.Steps[step]
		if s.Refused != i+1 || s.State != "playing" || s.Message == "" || s.Time > firstPart+5 {
			errs = append(errs, fmt.Errorf("page, one stream, %s: %+v", step, s))
		}
	}
	return errors.Join(errs...)
}

// checkParts says what was not even: three runs of frames, of the sizes of the parts, where they belong, without a pause.
func (r *listReport) checkParts() error {
	if r == nil {
		return nil
	}
	errs := []error{r.complaints()}
	if n := r.answers(http.StatusForbidden); n > 0 {
		errs = append(errs, fmt.Errorf("%d fragments refused for good: %v", n, r.Statuses))
	}
	want := []sizeRun{
		{Width: programmeWidth, Start: 0, End: firstPart}, {Width: adWidth, Start: firstPart, End: firstPart + adPart},
		{Width: programmeWidth, Start: firstPart + adPart, End: firstPart + adPart + 3},
	}
	if len(r.Runs) != len(want) {
		return errors.Join(append(errs, fmt.Errorf("shown: %+v", r.Runs))...)
	}
	for i, w := range want {
		got := r.Runs[i]
		if got.Width != w.Width {
			errs = append(errs, fmt.Errorf("part %d is %d wide, not %d", i+1, got.Width, w.Width))
		}
		errs = append(errs, within(fmt.Sprintf("begin of part %d", i+1), got.Start, w.Start-0.1, w.Start+0.4),
			within(fmt.Sprintf("end of part %d", i+1), got.End, w.End-0.3, w.End+0.6),
			within(fmt.Sprintf("pause in part %d", i+1), got.Pause, 0, 1.2))
	}
	return errors.Join(append(errs, within("seconds it took", r.Wall, 0, firstPart+adPart+3+4))...)
}

// checkCheat says what was got that should not be: any picture from where it was sought, or an answer with it.
func (r *listReport) checkCheat() error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, j := range r.Jumps {
		if len(j.Shown) > 0 || j.Time > j.To+0.5 {
			errs = append(errs, fmt.Errorf("sought to %.0f, at %.1f, shown: %+v", j.To, j.Time, j.Shown))
		}
	}
	if len(r.Jumps) != 2 || r.answers(http.StatusForbidden)+r.answers(http.StatusServiceUnavailable) == 0 {
		errs = append(errs, fmt.Errorf("jumps %+v, answers %v", r.Jumps, r.Statuses))
	}
	return errors.Join(errs...)
}
