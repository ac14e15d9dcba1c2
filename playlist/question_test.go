package playlist_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// questions is a list whose first entry a server is asked for, with what that answers.
func questions(t *testing.T, src string, answer http.HandlerFunc, opts *playlist.HandlerOptions) *watch {
	srv := elsewhere(t, answer)
	if opts == nil {
		opts = &playlist.HandlerOptions{}
	}
	opts.Remote, opts.ServerNames = newRemote(t, nil), []string{strings.TrimPrefix(srv.URL, "http://")}
	return newWatch(t, files(map[string]string{
		"tv/list.isx": isx(src+locked, "film.wmv"), "tv/in.isx": isx("ad.wmv"), "tv/ad.wmv": "the ad", "tv/film.wmv": "f", "tv/film.ism": "<smil/>",
	}), opts)
}

const question = "httpd://{SERVER_NAME}:{SERVER_PORT}/pick.aspx"

// TestQuestionOnce: a question is asked once in a session, when the entry may be played, however many requests there are.
func TestQuestionOnce(t *testing.T) {
	var asked atomic.Int32
	w := questions(t, question, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		assert.Equal(t, "/pick.aspx", r.URL.Path)
		text("text/plain; charset=utf-8", "\r\n ad.wmv\r\n\n")(w, r)
	}, &playlist.HandlerOptions{MaxConnections: 100, Report: func(playlist.Delivery) {}})
	u := w.open("/tv/list.isx")
	require.Zero(t, asked.Load())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { assert.Equal(t, "the ad", bodyOf(t, w.get(u[0]))) })
	}
	all.Wait()
	w.want(206, u[0], "Range", "bytes=1-2")
	assert.Equal(t, int32(1), asked.Load())
	w.want(200, w.open("/tv/list.isx")[0])
	assert.Equal(t, int32(2), asked.Load(), "another session")
}

// TestQuestionNotEarly: what may not be played yet is not asked for.
func TestQuestionNotEarly(t *testing.T) {
	w := newWatch(t, files(map[string]string{"list.isx": isx("ad.wmv canSkipForward", question), "ad.wmv": "a"}), &playlist.HandlerOptions{
		Remote: newRemote(t, &playlist.RemoteOptions{Transport: transport(func(*http.Request) (*http.Response, error) {
			t.Error("asked")
			return nil, http.ErrServerClosed
		})}), ServerNames: []string{"example.com"},
	})
	w.want(403, w.open("/list.isx")[1])
}

// TestQuestionAnswers: what an answer may be, and that a bad one is an error of the entry alone.
func TestQuestionAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
	}{
		"file":                {text("text/plain", "/tv/ad.wmv"), 200},
		"list":                {text("text/plain", "in.isx\n"), 200},
		"HTML":                {text("text/html", "ad.wmv"), 502},
		"nothing":             {text("text/plain", " \n"), 502},
		"two lines":           {text("text/plain", "ad.wmv\nfilm.wmv"), 502},
		"error":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 502},
		"not found":           {http.NotFound, 404},
		"question":            {text("text/plain", question), 502},
		"outside":             {text("text/plain", "../../secret.wmv"), 403},
		"outside, encoded":    {text("text/plain", "%2e%2e/%2e%2e/secret.wmv"), 403},
		"remote, as relative": {text("text/plain", "http://127.0.0.1/secret"), 403},
		"no file":             {text("text/plain", "none.wmv"), 404},
		"itself":              {text("text/plain", "LIST.isx"), 404},
		"presentation":        {text("text/plain", "film.ism"), 404},
	} {
		w := questions(t, question, c.answer, nil)
		u := w.open("/tv/list.isx")
		w.want(403, u[1])
		body := w.want(c.status, u[0])
		if name == "list" {
			require.Len(t, entries(t, body), 1)
			assert.Equal(t, "the ad", w.want(200, entries(t, body)[0]))
		}
		assert.Equal(t, 200, w.get(u[1]).StatusCode, name)
		for _, word := range []string{"secret", "ad.wmv", "127.0.0.1", "pick.aspx"} {
			assert.NotContains(t, w.log.String(), word, name)
			if name != "list" {
				assert.NotContains(t, strings.ReplaceAll(body, "the ad", ""), word, name)
			}
		}
	}
}

// TestQuestionSpoilt: a question that fails by what the client sends locks what is behind it.
func TestQuestionSpoilt(t *testing.T) {
	for _, src := range []string{"httpd://{SERVER_NAME}:{SERVER_PORT}/{QUERY_STRING}", "httpd://{SERVER_NAME}:{SERVER_PORT}/?{NO_SUCH}"} {
		w := questions(t, src, http.NotFound, nil)
		u := w.open("/tv/list.isx")
		assert.GreaterOrEqual(t, w.get(u[0]).StatusCode, 403)
		w.want(403, u[1])
	}
}
