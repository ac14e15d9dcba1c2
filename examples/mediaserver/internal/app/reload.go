package app

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"sync"
	"time"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/listen"
)

// watchEvery is how often files of the configuration are looked at.
const watchEvery = time.Second

// watcher loads the configuration again when its files change or somebody asks for it.
type watcher struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex // held while the configuration is loaded, and between pause and resume
	files  []string
	digest [sha256.Size]byte
}

// follow begins to watch the files of a configuration.
func (a *app) follow(cfg *config.Config, asked <-chan os.Signal) *watcher {
	ctx, stop := context.WithCancel(context.Background())
	w := &watcher{stop: stop, files: cfg.Files, digest: digestOf(cfg.Files)}
	w.done.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-asked:
				a.load(ctx, w, true)
			case <-tick.C:
				a.load(ctx, w, false)
			}
		}
	})
	return w
}

// load puts the newest configuration in force, if it has changed or if that is forced. One that cannot be used is told and leaves
// everything as it was.
func (a *app) load(ctx context.Context, w *watcher, forced bool) {
	if !w.mu.TryLock() {
		return // another process is taking over
	}
	defer w.mu.Unlock()
	digest := digestOf(w.files)
	if !forced && digest == w.digest {
		return
	}
	w.digest = digest
	if forced {
		if err := a.server.Reopen(); err != nil {
			a.log.Error("reopen logs", "err", err)
		}
	}
	listen.Notify(listen.NotifyReloadingAt())
	defer listen.Notify(listen.NotifyReady)
	cfg, report, err := prepare(a.flags)
	if err == nil {
		err = a.apply(ctx, cfg)
	}
	if err != nil {
		a.log.Error("the configuration stays as it was", "err", err)
		a.server.Failed(err)
		return
	}
	for _, line := range report.Problems() {
		a.log.Warn("imported configuration", "note", line)
	}
	w.files, w.digest = cfg.Files, digestOf(cfg.Files)
	a.log.Info("new configuration", "file", a.flags.file)
}

// apply puts a configuration in force.
func (a *app) apply(ctx context.Context, cfg *config.Config) error {
	if err := a.server.Reload(cfg); err != nil {
		return err
	}
	setLevel(&cfg.Log, a.level)
	a.http.configure(cfg)
	return a.set.Update(ctx, specsOf(cfg))
}

// pause keeps the configuration as it is until resume.
func (w *watcher) pause() { w.mu.Lock() }

func (w *watcher) resume() { w.mu.Unlock() }

// close ends watching.
func (w *watcher) close() {
	if w == nil {
		return
	}
	w.stop()
	w.done.Wait()
}

// maxWatched bounds what is read of a file to find out whether it has changed.
const maxWatched = 16 << 20

// digestOf tells whether any of some files has changed.
func digestOf(files []string) (sum [sha256.Size]byte) {
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
