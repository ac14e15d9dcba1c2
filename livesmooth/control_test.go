package livesmooth

import (
	"bytes"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// TestControlTrack sends SCTE-35 as encoders do: the header when the event begins, then a short POST for each message, with the
// header again.
func TestControlTrack(t *testing.T) {
	set := DefaultSettings()
	set.Viewers.WindowLength = 60 * time.Second
	spool, err := NewSpool(t.TempDir(), nil)
	require.NoError(t, err)
	defer spool.Close()
	srv, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler), Points: map[string]*Settings{"a.isml": set}, MemoryBudget: 64 << 10,
		Sinks: func(string, *Settings) []Sink { return []Sink{spool} }})
	require.NoError(t, err)
	defer srv.Close()
	p, err := srv.Point("a.isml")
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	request := func(method, path string, body io.Reader) (int, http.Header, string) {
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest(method, path, body))
		return w.Code, w.Header(), w.Body.String()
	}
	param := func(name, value string) string {
		return `<param name="` + name + `" value="` + value + `" valuetype="data"/>`
	}
	header := bytes.Join([][]byte{pushFtyp(), pushSMIL(`<textstream src="Streams" systemBitrate="0">` + param("systemBitrate", "0") + param("trackID", "9") +
		param("trackName", "ads") + param("parentTrackName", "video") + param("manifestOutput", "true") + param("Subtype", "DATA") +
		param("Scheme", "urn:scte:scte35:2013:bin") + param("timescale", "10000000") + `</textstream>`),
		pushMoov(t, pushTrak{id: 9, media: "meta", entry: pushBox("scte", make([]byte, 8))})}, nil)
	message := func(at int64, id uint32) []byte {
		payload := append(push32(1, id, 0), "\xfc\x30 splice_info_section"...)
		return pushMoof(0, payload, pushTraf{id: 9, boxes: [][]byte{}, after: [][]byte{pushTfxdBox(at, 0)},
			runs: []pushRun{{flags: 0x300, count: 1, entries: push32(0, uint32(len(payload)))}}})
	}
	status, _, text := request("POST", "/a.isml/Streams(ads)", bytes.NewReader(header))
	require.Equal(t, 200, status, text)
	e := smoothtest.NewEncoder(hammerConfig())
	// A little at a time, since memory has no room for what the sink has not written yet.
	send := func(from, to time.Duration) {
		for at := from + 2*time.Second; at <= to; at += 2 * time.Second {
			require.NoError(t, p.Push(t.Context(), PushInfo{Input: "av"}, bytes.NewReader(append(e.Header(), e.Until(at)...))))
			require.Eventually(t, func() bool { return p.Stats().Sinks[0].Queued == 0 }, 5*time.Second, time.Millisecond)
		}
	}
	send(0, 20*time.Second)
	status, _, text = request("POST", "/a.isml/Streams(ads)", bytes.NewReader(append(bytes.Clone(header), message(7*scale, 1)...)))
	require.Equal(t, 200, status, text)
	status, _, text = request("POST", "/a.isml/Streams(ads)", bytes.NewReader(append(bytes.Clone(header), message(21*scale, 2)...)))
	require.Equal(t, 200, status, text)
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Manifest.Stream("ads").Timeline, 1, "the second one is after the edge of its parent")
	send(20*time.Second, 40*time.Second)
	_, _, text = request("GET", "/a.isml/Manifest", nil)
	data := base64.StdEncoding.EncodeToString(append(push32(1, 2, 0), "\xfc\x30 splice_info_section"...))
	assert.Contains(t, text, data, "in the manifest, though memory is small")
	m, err := smooth.ParseManifest([]byte(text))
	require.NoError(t, err)
	st := m.Stream("ads")
	require.NotNil(t, st)
	assert.Equal(t, "DATA", st.Subtype)
	assert.Equal(t, "video", st.Parent)
	assert.True(t, st.ManifestOutput)
	assert.Equal(t, "urn:scte:scte35:2013:bin", st.Levels[0].CustomAttributes[0].Value)
	assert.Equal(t, []uint64{7 * scale, 21 * scale}, []uint64{st.Timeline[0].Time, st.Timeline[1].Time})
	status, _, _ = request("GET", "/a.isml/QualityLevels(0)/Fragments(ads=210000000)", nil)
	assert.Equal(t, 200, status)
	status, h, _ := request("GET", "/a.isml/QualityLevels(900000)/Fragments(video=320000000)", nil)
	assert.Equal(t, 200, status)
	assert.Contains(t, h.Get("Content-Type"), `ChildTrack="ads=210000000"`)
}
