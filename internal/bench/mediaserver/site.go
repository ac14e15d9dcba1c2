package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const (
	// livePoint is the publishing point, and liveWindow what it keeps for viewers.
	livePoint  = "live/event.isml"
	liveWindow = 30 * time.Second
	// vodName is the presentation on demand.
	vodName = "vod/sample.ism"
	// largeFile is larger than what sockets take, plainFile is not paced, and pacedFile is: see pacing.
	largeFile, largeSize = "files/large.bin", 48 << 20
	plainFile, plainSize = "files/plain.txt", 300_000
	pacedFile, pacedSize = "files/film.wmv", 1_500_000
	adFile, adSize       = "ads/spot.wmv", 200_000
	listFile             = "evening.isx"
)

// pacing makes a download of pacedFile take some five seconds: 2 Mbit/s after a burst of 250 kB.
const pacing = `<bitrateThrottling enabled="true"><throttleSettings>
<add fileExtension=".wmv" settingType="data" initialSendSizeKBytes="250" throttleRateKbps="2000" /></throttleSettings></bitrateThrottling>`

const list = `<smil><head><meta name="title" content="Evening"/></head><body><seq>
<ref src="ads/spot.wmv"><param name="canSkipForward" value="False"/></ref><ref src="vod/sample.ism/Manifest"/></seq></body></smil>`

// site is the directory of the site, and what its files hold.
type site struct {
	root  string
	files map[string][]byte
}

// writeSite writes a site into a directory.
func writeSite(dir string) (*site, error) {
	s := &site{root: filepath.Join(dir, "wwwroot"), files: map[string][]byte{
		"throttling.config": []byte(pacing), listFile: []byte(list), "other/here.txt": []byte("here"),
		largeFile: noise(1, largeSize), plainFile: noise(2, plainSize), pacedFile: noise(3, pacedSize), adFile: noise(4, adSize),
	}}
	if err := os.CopyFS(filepath.Join(s.root, "vod"), smoothtest.Sample()); err != nil {
		return nil, err
	}
	set := livesmooth.DefaultSettings()
	set.AutoStart, set.AutoRestart = true, true
	set.Viewers.WindowLength = liveWindow
	isml, err := set.AppendISML(nil)
	if err != nil {
		return nil, err
	}
	s.files[livePoint] = isml
	for name, data := range s.files {
		name = filepath.Join(s.root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// noise returns n bytes that depend on nothing but the seed.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// configuration is what changes from one configuration to the next.
type configuration struct {
	origin string
	// number is that of the folder that only this configuration has.
	number int
	broken bool
}

// text returns the configuration file.
func (c configuration) text(s *site) string {
	text := fmt.Sprintf(`root: %[1]q
folders: {/only%[2]d: %[3]q}
live: {waitAtEdge: 500ms}
throttle: {file: %[4]q, debug: %[5]v}
limits: {playersPerFile: %[6]d, requestsPerPlayer: 1000}
edge:
  - {path: /cdn, upstreams: [{url: "http://%[7]s"}], memory: 16MB, directory: %[8]q, disk: 30MB, staleIfError: 1h, health: /healthz}
  - {path: /strict, upstreams: [{url: "http://%[7]s"}], memory: 8MB}
usage: {log: {directory: %[9]q}}
`, s.root, c.number, filepath.Join(s.root, "other"), filepath.Join(s.root, "throttling.config"), c.number%2 == 0, 1000+c.number,
		c.origin, filepath.Join(s.root, "..", "cache"), filepath.Join(s.root, "..", "log"))
	if c.broken {
		text += "nonsense: true\n"
	}
	return text
}
