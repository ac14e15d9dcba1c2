package app

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/imports"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// watchEvery is how often files of the configuration are looked at.
const watchEvery = time.Second

// digest is a state of the files of a configuration.
type digest [sha256.Size]byte

// loaded is a configuration with the state of its files, which was found before they were read: what changes meanwhile is seen later.
type loaded struct {
	*config.Config
	report *imports.Report
	digest digest
}

// loadConfig reads the configuration. Files are those that it had before, if that is known.
func loadConfig(f *flags, files []string) (*loaded, error) {
	for try := 1; ; try++ {
		n := &loaded{digest: digestOf(files)}
		var err error
		if n.Config, n.report, err = prepare(f); err != nil {
			return nil, err
		}
		if slices.Equal(n.Files, files) || try == maxTries {
			return n, nil
		}
		files = n.Files // some of them may have changed between their reading and now
	}
}

// maxTries bounds how often a configuration is read that has other files each time.
const maxTries = 3

// watcher loads the configuration again when its files change or somebody asks for it.
type watcher struct {
	app  *app
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex // held while the configuration is loaded, and between pause and resume
	now    *config.Config
	files  []string // of what was tried last
	digest digest   // of what was tried last
	seen   digest   // of what was found last

	asked bool // while another process was taking over; only the goroutine uses it
}

// follow begins to watch the files of a configuration.
func (w *watcher) follow(asked <-chan os.Signal) {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.done.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-asked:
				w.look(ctx, true)
			case <-tick.C:
				w.look(ctx, false)
			}
		}
	})
}

// look loads the configuration if its files have changed, and were the same when they were looked at before: who writes them may not be
// done. Who asks says that it is. While another process takes over, that waits.
func (w *watcher) look(ctx context.Context, asked bool) {
	asked = asked || w.asked
	w.asked = asked
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	w.asked = false
	found := digestOf(w.files)
	settled := found == w.seen
	w.seen = found
	if asked {
		if err := w.app.server.Reopen(); err != nil {
			w.app.log.Error("reopen logs", "err", err)
		}
	}
	if asked || settled && found != w.digest {
		w.digest = found
		w.load(ctx)
	}
}

// load puts the newest configuration in force. One that cannot be used is told and leaves everything as it was.
func (w *watcher) load(ctx context.Context) {
	listen.Notify(listen.NotifyReloadingAt())
	defer listen.Notify(listen.NotifyReady)
	next, err := loadConfig(w.app.flags, w.files)
	if err == nil {
		w.files, w.digest, w.seen = next.Files, next.digest, next.digest // what is wrong may be in a file that it names
		err = w.app.apply(ctx, w.now, next.Config)
	}
	if err != nil {
		w.app.log.Error("the configuration stays as it was", "err", err)
		w.app.server.Failed(err)
		return
	}
	for _, line := range next.report.Problems() {
		w.app.log.Warn("imported configuration", "note", line)
	}
	w.now = next.Config
	w.app.log.Info("new configuration", "file", w.app.flags.file)
}

// apply puts a configuration in force. What can fail comes first.
func (a *app) apply(ctx context.Context, was, cfg *config.Config) error {
	listeners, err := a.http.prepare(cfg)
	if err != nil {
		return err
	}
	if err := a.server.Reload(cfg); err != nil {
		return err
	}
	setLevel(&cfg.Log, a.level)
	a.http.configure(listeners)
	err = a.set.Update(ctx, specsOf(cfg)) // its addresses have been checked, so the program ends
	a.http.forget()
	a.debug.listen(cfg.Debug)
	for _, text := range kept(was, cfg) {
		a.log.Warn(text + " needs a new process: start one, which takes over, or restart")
	}
	return err
}

// kept says what of a configuration only a new process can change.
func kept(was, now *config.Config) (list []string) {
	for _, c := range []struct {
		what    string
		changed bool
	}{
		{"another path of handover", was.Handover != now.Handover},
		{"another format of the log", was.Log.Format != now.Log.Format},
		{"another connectionAcknowledgement", was.Limits.ConnectionAcknowledgement != now.Limits.ConnectionAcknowledgement},
	} {
		if c.changed {
			list = append(list, c.what)
		}
	}
	return list
}

// pause keeps the configuration as it is until resume.
func (w *watcher) pause() { w.mu.Lock() }

func (w *watcher) resume() { w.mu.Unlock() }

// close ends watching.
func (w *watcher) close() {
	if w.stop != nil {
		w.stop()
	}
	w.done.Wait()
}

// maxWatched bounds what is read of a file to find out whether it has changed.
const maxWatched = 16 << 20

// digestOf tells whether any of some files has changed.
func digestOf(files []string) (sum digest) {
	h := sha256.New()
	for _, name := range files {
		io.WriteString(h, name+"\x00")
		f, err := os.Open(name)
		if err != nil {
			io.WriteString(h, "not there\x00")
			continue
		}
		io.Copy(h, io.LimitReader(f, maxWatched))
		f.Close()
	}
	h.Sum(sum[:0])
	return sum
}
