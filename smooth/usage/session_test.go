package usage_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

const fragment = "/vod/film.ism/QualityLevels(300000)/Fragments(video=20000000)"

func TestSessionLifeCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := newRecorder(t, usage.Options{PseudonymKey: make([]byte, 16)})
		h := r.Handler(answer(200, 1000))
		start := time.Now()
		serve(h, get("/vod/film.ism/Manifest", "Accept-Language", "de-DE,de;q=0.9"))
		time.Sleep(2 * time.Second)
		serve(h, get(fragment, "CMCD-Object", "br=300,ot=v", "CMCD-Status", "bs", "CMCD-Request", "mtp=5000"))
		assert.Equal(t, 1, int(r.Stats().Viewers.Now))
		sessions := slices.Collect(r.Sessions())
		require.Len(t, sessions, 1)
		assert.Equal(t, int64(2), sessions[0].Requests)
		assert.Equal(t, 0, sessions[0].Active)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Empty(t, log.ended(), "not before the timeout is over")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Len(t, log.ended(), 1)
		s := log.ended()[0]
		assert.Equal(t, "/vod/film.ism", s.Stream)
		assert.Equal(t, usage.Smooth, s.Protocol)
		assert.Equal(t, start, s.Started)
		assert.Equal(t, 2*time.Second, s.Duration())
		assert.Equal(t, int64(8000), s.Bandwidth())
		assert.Equal(t, int64(2000), s.Sent)
		assert.Equal(t, 200, s.Status)
		assert.Equal(t, int64(300000), s.Bitrate)
		assert.Equal(t, 2*time.Second, s.FirstTime)
		assert.True(t, s.Timed && s.HasCMCD && !s.Live)
		assert.Equal(t, int64(1), s.Starved)
		assert.Equal(t, int64(5_000_000), s.Throughput)
		assert.Equal(t, 1.0, s.Rate)
		assert.Equal(t, "de-DE", s.Language)
		assert.Equal(t, 1, s.Viewers)
		assert.Zero(t, r.Stats().Viewers.Now)
		assert.Equal(t, map[usage.Protocol]int64{usage.Smooth: 1}, r.Stats().SessionsBy)
	})
}

func TestWhoIsAViewer(t *testing.T) {
	for name, c := range map[string]struct {
		requests []*http.Request
		want     int
	}{
		"one player, two streams":    {[]*http.Request{get("/a.ism/Manifest"), get("/b.ism/Manifest")}, 2},
		"address and player are one": {[]*http.Request{get("/a.ism/Manifest"), get("/a.ism/Manifest")}, 1},
		"another player":             {[]*http.Request{get("/a.ism/Manifest"), get("/a.ism/Manifest", "User-Agent", "other")}, 2},
		"sid": {[]*http.Request{
			get("/a.ism/Manifest", "CMCD-Session", `sid="1"`), get("/a.ism/Manifest", "CMCD-Session", `sid="2"`),
		}, 2},
		"Apple's": {[]*http.Request{get("/a.m3u8", "X-Playback-Session-Id", "1"), get("/1.ts", "X-Playback-Session-Id", "1",
			"User-Agent", "another process")}, 1},
		"renditions below the master playlist": {[]*http.Request{get("/f/master.m3u8"), get("/f/v/1/index.m3u8"), get("/f/v/1/1.ts")}, 1},
		"HEAD is nobody":                       {[]*http.Request{httpRequest("HEAD", "/a.ism/Manifest"), httpRequest("OPTIONS", "/a.ism/Manifest")}, 0},
		"pages are nobody's":                   {[]*http.Request{get("/"), get("/app.js")}, 0},
		"an encoder is no viewer":              {[]*http.Request{httpRequest("POST", "/a.isml/Streams(1)")}, 0},
		"a key alone":                          {[]*http.Request{get("/f/a.key")}, 1},
	} {
		r, _ := newRecorder(t, usage.Options{})
		h := r.Handler(answer(200, 0))
		for _, q := range c.requests {
			serve(h, q)
		}
		assert.Equal(t, int64(c.want), r.Stats().Viewers.Now, name)
		assert.Equal(t, int64(c.want), r.Stats().Sessions, name)
	}
}

func httpRequest(method, url string) *http.Request {
	r := get(url)
	r.Method = method
	return r
}

func TestSessionStatus(t *testing.T) {
	abort := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "part")
	})
	for name, c := range map[string]struct {
		answers []http.Handler
		url     string
		want    int
	}{
		"good":                            {[]http.Handler{answer(200, 1), answer(304, 0)}, fragment, 200},
		"not yet, then good":              {[]http.Handler{answer(200, 1), answer(412, 0), answer(200, 1)}, fragment, 200},
		"the server failed, then went on": {[]http.Handler{answer(200, 1), answer(503, 0), answer(206, 1)}, fragment, 210},
		"the server failed at the end":    {[]http.Handler{answer(200, 1), answer(503, 0)}, fragment, 200},
		"vanished":                        {[]http.Handler{answer(200, 1), abort}, fragment, 420},
		"broken off, then went on":        {[]http.Handler{abort, answer(200, 1)}, fragment, 200},
		"not found":                       {[]http.Handler{answer(404, 9)}, "/a.ism/Manifest", 404},
		"forbidden":                       {[]http.Handler{answer(403, 9)}, "/a.mp4", 401},
		"live and too early":              {[]http.Handler{answer(412, 0)}, "/a.isml/Manifest", 404},
		"unavailable":                     {[]http.Handler{answer(503, 9)}, "/a.ism/Manifest", 503},
		"a fragment is not how one comes": {[]http.Handler{answer(404, 9)}, fragment, 0},
		"a redirect is no session":        {[]http.Handler{answer(302, 9)}, "/a.ism/Manifest", 0},
	} {
		r, log := newRecorder(t, usage.Options{})
		for _, a := range c.answers {
			serve(r.Handler(a), get(c.url))
		}
		require.NoError(t, r.Close())
		got := log.ended()
		if c.want == 0 {
			assert.Empty(t, got, name)
			continue
		}
		if assert.Len(t, got, 1, name) {
			assert.Equal(t, c.want, got[0].Status, name)
			assert.Equal(t, int64(len(c.answers)), got[0].Requests, name)
		}
	}
}

func TestFailedSessionsAreNoViewers(t *testing.T) {
	r, log := newRecorder(t, usage.Options{})
	serve(r.Handler(answer(404, 5)), get("/a.ism/Manifest"))
	assert.Zero(t, r.Stats().Viewers.Peak)
	assert.Zero(t, r.Stats().Sessions)
	assert.Empty(t, r.Stats().Streams, "who tries names makes no counters")
	require.Len(t, log.ended(), 1)
	assert.Equal(t, int64(5), log.ended()[0].Sent)
}

func TestSessionsAreBounded(t *testing.T) {
	r, log := newRecorder(t, usage.Options{MaxSessions: 2})
	h := r.Handler(answer(200, 10))
	for i := range 5 {
		serve(h, get("/a.ism/Manifest", "CMCD-Session", `sid="`+strconv.Itoa(i)+`"`))
	}
	s := r.Stats()
	assert.Equal(t, usage.Level{Now: 2, Peak: 2}, s.Viewers)
	assert.Equal(t, int64(3), s.Overflow)
	assert.Equal(t, int64(50), s.Sent, "they are served and counted")
	assert.Empty(t, log.last(t).Session)
}

func TestSessionStaysWhileItIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := newRecorder(t, usage.Options{InactivityTimeout: 5 * time.Second})
		var sizes []int64
		h := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 6 {
				_, _ = w.Write(make([]byte, 1000))
				time.Sleep(10 * time.Second)
				for s := range r.Sessions() {
					sizes = append(sizes, s.Sent)
				}
			}
		}))
		serve(h, get("/film.mp4"))
		assert.Equal(t, []int64{1000, 2000, 3000, 4000, 5000, 6000}, sizes, "bytes count as they go")
		assert.Empty(t, log.ended())
		var sent []int64
		for _, s := range r.History() {
			sent = append(sent, s.Sent)
			assert.Equal(t, 1, s.Viewers)
		}
		assert.GreaterOrEqual(t, len(sent), 6)
		assert.Equal(t, int64(1000), sent[2], "a step of a response that goes on")
		time.Sleep(7 * time.Second)
		synctest.Wait()
		require.Len(t, log.ended(), 1)
		assert.Equal(t, time.Minute, log.ended()[0].Duration())
	})
}

func TestShutdownEndsSessions(t *testing.T) {
	r, log := newRecorder(t, usage.Options{Media: func(stream string) usage.Media {
		return usage.Media{Name: "name of " + stream}
	}})
	serve(r.Handler(answer(200, 1)), get("/a.ism/Manifest"))
	inside := make(chan struct{})
	leave := make(chan struct{})
	var done = make(chan struct{})
	go func() {
		defer close(done)
		serve(r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			close(inside)
			<-leave
		})), get("/b.ism/Manifest"))
	}()
	<-inside
	require.NoError(t, r.Shutdown(context.Background()))
	close(leave)
	<-done
	assert.Len(t, log.ended(), 2, "the one that is being served too")
	assert.Equal(t, "name of "+log.ended()[0].Stream, log.ended()[0].Media.Name)
	assert.Equal(t, 1, log.closed)
	assert.Equal(t, 204, serve(r.Handler(answer(204, 0)), get("/a.ism/Manifest")).StatusCode, "it serves without recording")
	assert.Len(t, log.ended(), 2)
	require.NoError(t, r.Shutdown(context.Background()))
	assert.Equal(t, 1, log.closed)
}

func TestPseudonyms(t *testing.T) {
	ids := make(map[string][]string)
	for _, key := range []string{"0123456789abcdef", "0123456789abcdef", "fedcba9876543210"} {
		r, log := newRecorder(t, usage.Options{PseudonymKey: []byte(key)})
		h := r.Handler(answer(200, 1))
		serve(h, get("/a.ism/Manifest"))
		serve(h, get("/b.ism/Manifest"))
		require.NoError(t, r.Close())
		got := log.ended()
		require.Len(t, got, 2)
		assert.Equal(t, got[0].Player, got[1].Player, "a player is the same whatever it watches")
		assert.NotEqual(t, got[0].ID, got[1].ID)
		assert.Len(t, got[0].Player, 32)
		ids[key] = append(ids[key], got[0].Player)
	}
	assert.Equal(t, ids["0123456789abcdef"][0], ids["0123456789abcdef"][1])
	assert.NotEqual(t, ids["0123456789abcdef"][0], ids["fedcba9876543210"][0])
	_, err := usage.New(&usage.Options{PseudonymKey: []byte("short")})
	assert.ErrorIs(t, err, usage.ErrOptions)
}

func TestOwnSessionAndUser(t *testing.T) {
	r, log := newRecorder(t, usage.Options{
		Session: func(r *http.Request) string { return r.Header.Get("Ticket") },
		User:    func(*http.Request) string { return "anna" },
	})
	h := r.Handler(answer(200, 1))
	serve(h, get("/a.ism/Manifest", "Ticket", "1"))
	serve(h, get("/a.ism/Manifest", "Ticket", "2"))
	serve(h, get("/a.ism/Manifest", "Ticket", "2", "User-Agent", "other"))
	assert.Equal(t, int64(2), r.Stats().Viewers.Now)
	assert.Equal(t, "anna", log.last(t).User)
}
