package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// takeOver changes the configuration and then the process while viewers watch an event, an encoder pushes it and others come and go.
// It returns the new process.
func (b *box) takeOver(t *testing.T, server *serverProcess, encoder *encoderLoop, browser string) *serverProcess {
	t.Helper()
	event, err := b.event()
	require.NoError(t, err)
	manifest, list := goesOn(`IsLive="TRUE"`, true), goesOn("#EXT-X-ENDLIST", false)
	listName := fmt.Sprintf("QualityLevels(%d)/Manifest(video,format=m3u8-aapl).m3u8", highRate)
	twice(t, func() error {
		asked := keepAsking(t, map[string]accept{
			b.url("vod/sample.ism/Manifest"): status200, b.url("hello.txt"): status200,
			// The new process has nothing of the event but what is recorded, until the encoder sends again.
			b.url(boxPoint + "/Manifest"): orWaits(manifest), b.url(boxPoint + "/" + listName): orWaits(list),
			b.url(event + "/event.isml/Manifest"): manifest, b.url(event + "/event.isml/" + listName): list,
		})
		next := server
		err := b.watchMeanwhile(t, event, browser, func() error {
			if err := b.reload(t, encoder); err != nil {
				return err
			}
			var err error
			next, err = b.replace(t, server, encoder)
			return err
		})
		if next != nil {
			server = next
		}
		return errors.Join(err, asked.end())
	})
	return server
}

// watchMeanwhile watches the event on the page, and its recording in hls.js, and does something once both play. Both must go on with
// what an encoder sends that has connected again.
func (b *box) watchMeanwhile(t *testing.T, event, browser string, do func() error) error {
	t.Helper()
	orders := []watchOrder{
		{Player: "page", URL: b.url("_page/"), Name: boxPoint},
		{Player: "hls", URL: b.url(event + "/event.isml/" + master("m3u8-aapl"))},
	}
	var playing, done sync.WaitGroup
	errs := make([]error, len(orders))
	playing.Add(len(orders))
	for i, o := range orders {
		once := sync.OnceFunc(playing.Done)
		o.Seconds, o.Outlast, o.Chromium, o.playing = 2, 50, browser, once
		done.Go(func() {
			defer once() // one that does not begin must not keep the others
			r, err := watch(t, o)
			if err == nil {
				err = r.across()
			}
			if err != nil {
				errs[i] = fmt.Errorf("%s at %s: %w", o.Player, o.URL, err)
			}
		})
	}
	playing.Wait()
	err := do()
	done.Wait()
	return errors.Join(append(errs, err)...)
}

// across says what was wrong about the time around the end of a connection of the encoder, which numbers its frames anew in each: the
// new frames come later on the same timeline. The last or the first frame beside the gap may be shown in it.
func (r *watchReport) across() error {
	before, after := r.Runs[0], r.Runs[len(r.Runs)-1]
	if len(r.Runs) < 2 || len(r.Runs) > 3 || after.First >= before.Last || after.Start <= before.End || after.Start > before.End+15 {
		return fmt.Errorf("expected pictures before and after, got %+v", r.Runs)
	}
	return nil
}

// reload changes the configuration: for the better, which is used, and so that it cannot be used, which changes nothing and is told.
func (b *box) reload(t *testing.T, encoder *encoderLoop) error {
	connections := encoder.connections()
	b.writeAliases(t, "/newest/* /vod/*\n")
	manifest := b.url("newest/sample.ism/Manifest")
	if err := becomes(manifest, 200, 20*time.Second); err != nil {
		return err
	}
	b.writeYAML(t, "    rooot: elsewhere\n")
	if err := b.consoleShows(`data-config="error"`, `mediaserver.yaml:9: unknown key &#34;rooot&#34;`); err != nil {
		return err
	}
	if err := becomes(manifest, 200, 0); err != nil {
		return fmt.Errorf("a configuration that cannot be used has changed something: %w", err)
	}
	b.writeYAML(t, "")
	if err := b.consoleShows(`data-config="good"`); err != nil {
		return err
	}
	if again := encoder.connections() - connections; again != 0 {
		return fmt.Errorf("the encoder had to connect %d times", again)
	}
	return nil
}

// consoleShows waits until there are some texts on the first page of the console.
func (b *box) consoleShows(texts ...string) error {
	return poll(20*time.Second, func() bool {
		page, err := inquire(b.url("console/"), "")
		for _, text := range texts {
			if err != nil || !strings.Contains(string(page.body), text) {
				return false
			}
		}
		return true
	})
}

// replace starts a second process with the same configuration, which takes over.
func (b *box) replace(t *testing.T, old *serverProcess, encoder *encoderLoop) (*serverProcess, error) {
	connections := encoder.connections()
	start := time.Now()
	next, err := startServer(t, b.exe, b.args()...)
	if err != nil {
		return nil, err
	}
	taken := time.Since(start)
	if err := old.waitEnd(time.Minute); err != nil {
		return next, fmt.Errorf("the old process: %w", err)
	}
	t.Logf("taken over after %v, the old process ended after %v", taken.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	if err := poll(20*time.Second, func() bool { return encoder.connections() > connections }); err != nil {
		return next, fmt.Errorf("the encoder does not connect again: %w", err)
	}
	return next, nil
}
