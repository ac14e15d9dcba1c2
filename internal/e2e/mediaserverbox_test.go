package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// box is a Windows server with Media Services, as far as it was copied: the directories of its drives and its configuration, to be
// served here at the same URLs.
type box struct {
	exe     string
	dir     string // of the configuration
	root    string // was C:\inetpub\wwwroot
	drive   string // was D:\
	archive string
	logs    string
	address [2]string // of the first site
	hook    *hookReceiver
}

// Names of the box.
const (
	boxLocator = "0c9bd4a0-73a4-4c4e-9f6b-2f3c0a5d8e11"
	boxPoint   = "live/event.isml"
	boxSpare   = "live/spare.isml"
	trailer    = "films/trailer.mp4"
	// The trailer lasts so many seconds, of which boxBurst are sent at once.
	boxTrailer, boxBurst = 8, 2
)

// newBox writes all files.
func newBox(t *testing.T) *box {
	t.Helper()
	dir := t.TempDir()
	b := &box{exe: buildMediaServer(t), dir: dir, hook: newHookReceiver(t)}
	for name, to := range map[string]*string{"wwwroot": &b.root, "d": &b.drive, "archive": &b.archive, "logs": &b.logs} {
		*to = filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(*to, 0o755))
	}
	b.writeRoot(t)
	require.NoError(t, os.CopyFS(filepath.Join(b.drive, "media"), smoothtest.Sample()))
	writeFile(t, filepath.Join(b.drive, "media"), "there.txt", "on the other drive\n")
	b.address = [2]string{freeAddress(t), freeAddress(t)}
	b.writeApplicationHost(t)
	b.writeAliases(t, "")
	b.writeYAML(t, "")
	return b
}

// boxISML is a publishing point as IIS Manager wrote it.
const boxISML = `<?xml version="1.0" encoding="utf-8"?>
<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head><meta name="title" content="Event"/>
<meta name="module" content="liveSmoothStreaming"/><meta name="sourceType" content="Push"/>
<meta name="publishing" content="Fragments;Streams;Archives"/><meta name="lookaheadChunks" content="2"/>
<meta name="manifestWindowLength" content="120"/><meta name="startOnFirstRequest" content="True"/>
<meta name="restartOnEncoderReconnect" content="True"/><meta name="formats" content="m3u8-aapl"/>
<meta name="m3u8-aapl-segmentlength" content="2"/></head><body/></smil>`

// writeRoot writes wwwroot.
func (b *box) writeRoot(t *testing.T) {
	t.Helper()
	for _, sub := range []string{"films", "ads", "live"} {
		require.NoError(t, os.Mkdir(filepath.Join(b.root, sub), 0o755))
	}
	require.NoError(t, os.CopyFS(filepath.Join(b.root, "vod"), smoothtest.Sample()))
	makeFilm(t, filepath.Join(b.root, filepath.FromSlash(trailer)), boxTrailer, programmeWidth, 300)
	makeFilm(t, filepath.Join(b.root, "ads", "spot.mp4"), 2, adWidth, 900)
	for name, text := range map[string]string{
		boxPoint: boxISML, boxSpare: strings.Replace(boxISML, ";Archives", "", 1),
		"index.html": "<!doctype html><title>The old page</title>", "hello.txt": "hello\n",
		"web.config": `<configuration><system.webServer><httpProtocol><customHeaders><add name="X-Box" value="old"/></customHeaders>` +
			`</httpProtocol></system.webServer></configuration>`,
		"evening.isx": `<smil xmlns="http://www.w3.org/2005/SMIL21/Language"><body><seq><ref src="ads/spot.mp4">` +
			`<param name="canSkipForward" value="False"/></ref><ref src="hello.txt"/></seq></body></smil>`,
	} {
		writeFile(t, b.root, filepath.FromSlash(name), text)
	}
}

// boxApplicationHost is the main configuration of the box, FIRST and SECOND being ports.
const boxApplicationHost = `<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <system.applicationHost><sites>
    <site name="Default Web Site" id="1" serverAutoStart="true">
      <application path="/">
        <virtualDirectory path="/" physicalPath="%SystemDrive%\inetpub\wwwroot" />
        <virtualDirectory path="/media" physicalPath="D:\media" />
        <virtualDirectory path="/gone" physicalPath="E:\gone" />
      </application>
      <bindings>
        <binding protocol="http" bindingInformation="127.0.0.1:FIRST:" />
        <binding protocol="http" bindingInformation="127.0.0.1:SECOND:" />
      </bindings>
    </site>
    <site name="Films" id="2" serverAutoStart="true">
      <application path="/"><virtualDirectory path="/" physicalPath="D:\media" /></application>
      <bindings>
        <binding protocol="http" bindingInformation="127.0.0.1:FIRST:films.example" />
        <binding protocol="https" bindingInformation="*:443:" />
      </bindings>
    </site>
    <site name="Old" id="3" serverAutoStart="false">
      <application path="/"><virtualDirectory path="/" physicalPath="D:\old" /></application>
      <bindings><binding protocol="http" bindingInformation="127.0.0.1:FIRST:old.example" /></bindings>
    </site>
  </sites></system.applicationHost>
  <system.webServer>
    <defaultDocument enabled="true"><files><add value="index.html" /></files></defaultDocument>
    <handlers>
      <add name="PHP" path="*.php" verb="GET,HEAD,POST" modules="FastCgiModule" scriptProcessor="C:\php\php-cgi.exe" />
    </handlers>
    <media>
      <bitrateThrottling enabled="true">
        <throttleSettings><add fileExtension=".mp4" settingType="media" initialBufferTimeSeconds="2" throttleRatePercentage="100" /></throttleSettings>
      </bitrateThrottling>
      <playlist enabled="true" />
      <liveStreaming><publishingPoints /></liveStreaming>
    </media>
    <staticContent><mimeMap fileExtension=".html" mimeType="text/html" /><mimeMap fileExtension=".mp4" mimeType="video/mp4" /><mimeMap fileExtension=".txt" mimeType="text/plain" /></staticContent>
  </system.webServer>
</configuration>
`

func (b *box) writeApplicationHost(t *testing.T) {
	t.Helper()
	ports := make([]string, 2)
	for i, a := range b.address {
		_, port, err := net.SplitHostPort(a)
		require.NoError(t, err)
		ports[i] = port
	}
	writeFile(t, b.dir, "applicationHost.config", strings.NewReplacer("FIRST", ports[0], "SECOND", ports[1]).Replace(boxApplicationHost))
}

// writeAliases writes the map of old links, with a further line.
func (b *box) writeAliases(t *testing.T, more string) {
	t.Helper()
	replaceFile(t, b.dir, "aliases.map", "/{guid}/{name}.ism/* /vod/{name}.ism/*\n"+more)
}

// writeYAML writes the configuration of this server, with further lines.
func (b *box) writeYAML(t *testing.T, more string) {
	t.Helper()
	replaceFile(t, b.dir, "mediaserver.yaml", fmt.Sprintf(`handover: control.sock
archive: {directory: archive}
usage:
  log: {directory: logs}
  webhooks: [{url: %q}]
sites:
  - name: Default Web Site
    aliases: [aliases.map]
%s`, b.hook.URL, more))
}

// replaceFile writes a file so that nobody reads a part of it.
func replaceFile(t *testing.T, dir, name, text string) {
	t.Helper()
	writeFile(t, dir, name+".new", text)
	require.NoError(t, os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)))
}

// args are those of the program.
func (b *box) args(more ...string) []string {
	return append([]string{
		"-config", filepath.Join(b.dir, "mediaserver.yaml"), "-import", filepath.Join(b.dir, "applicationHost.config"),
		"-map", `C:\inetpub\wwwroot=` + b.root, "-map", `D:\=` + b.drive,
	}, more...)
}

// url returns the address of a path.
func (b *box) url(path string) string { return "http://" + b.address[0] + "/" + path }

// hookReceiver is the service that the server tells events.
type hookReceiver struct {
	*httptest.Server
	mu     sync.Mutex // guards events
	events []hookEvent
}

type hookEvent struct{ Kind, Subject, Message string }

func newHookReceiver(t *testing.T) *hookReceiver {
	t.Helper()
	h := &hookReceiver{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e hookEvent
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, e)
	}))
	t.Cleanup(h.Close)
	return h
}

// all returns what was told.
func (h *hookReceiver) all() []hookEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// count returns how many events of a kind were told about a publishing point.
func (h *hookReceiver) count(kind, subject string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, e := range h.events {
		if e.Kind == kind && strings.HasSuffix(e.Subject, subject) {
			n++
		}
	}
	return n
}
