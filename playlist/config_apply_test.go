package playlist_test

import (
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// The defaults of IIS are those of the options, but for the lock that nobody has undone.
func TestApplyDefaults(t *testing.T) {
	var o playlist.HandlerOptions
	assert.Empty(t, playlist.DefaultConfig().Apply(&o))
	require.NotNil(t, o.Remote)
	o.Remote = nil
	assert.Empty(t, o.Formats)
	o.Formats = nil
	assert.Equal(t, playlist.HandlerOptions{
		Delimiter: playlist.DefaultDelimiter, MaxDepth: playlist.DefaultDepth, MaxConnections: playlist.DefaultConnections,
		TimeToLive: playlist.DefaultTimeToLive, InactivityTimeout: playlist.DefaultInactivityTimeout,
	}, o)
}

func TestApply(t *testing.T) {
	c := parseConfig(t, everySetting)
	given := map[string]playlist.Format{"ATOM": playlist.JSON{}, "Plain & Ü": playlist.JSON{}}
	o := playlist.HandlerOptions{
		Roots: map[string]fs.FS{`D:\media`: fstest.MapFS{}}, Formats: given, Store: playlist.NewMemoryStore(nil),
		AllowSkipAfterMinPercent: 70, RideAlong: []string{"token"},
	}
	assert.Equal(t, []string{
		"enabled is false, but a handler always answers: leave it out",
		"sessionProvider mine: maxActiveSessions is left to the Store",
		"playlistProvider .ads: the class Sample.Provider needs a Provider in its place",
		`accessOption \\server\media: nobody is logged on, Roots or Files must be readable`,
		`accessOption D:\media: nobody is logged on, Roots or Files must be readable`,
	}, c.Apply(&o))
	assert.True(t, o.AllowAbsolutePaths)
	assert.True(t, o.AllowClientCache)
	assert.Equal(t, ":", o.Delimiter)
	assert.Equal(t, 7, o.MaxDepth)
	assert.Equal(t, []time.Duration{2 * time.Hour, 20 * time.Minute}, []time.Duration{o.InactivityTimeout, o.TimeToLive})
	assert.Equal(t, 30, o.MaxSessions)
	assert.Equal(t, -1, o.MaxConnections, "no limit")
	assert.Equal(t, -1, o.AllowSkipAfterMinPercent, "written as 0")
	assert.Equal(t, []string{"token"}, o.RideAlong)
	assert.Nil(t, o.Formats["Plain & Ü"])
	assert.Equal(t, playlist.JSON{}, o.Formats["ATOM"])
	assert.Equal(t, playlist.JSON{}, given["Plain & Ü"], "the map of the caller stays as it is")

	for written, want := range map[string]int{"": 70, " allowSkipAfterMinPercent='30'": 30, " allowSkipAfterMinPercent='0'": -1} {
		o := playlist.HandlerOptions{AllowSkipAfterMinPercent: 70}
		assert.Empty(t, parseConfig(t, section("", "<sessionOptions"+written+"/>")).Apply(&o))
		assert.Equal(t, want, o.AllowSkipAfterMinPercent, written)
	}
}

func TestApplyLeaves(t *testing.T) {
	for doc, want := range map[string]string{
		section(" allowAbsolutePaths='true'", ""):        "allowAbsolutePaths is true, but Roots has no file systems for them",
		section(" defaultSessionProvider='none'", ""):    "there is no sessionProvider none, which is the default",
		section(" defaultSessionProvider='asp.net'", ""): "sessionProvider asp.net: sessions are in memory, as there is no Store",
		section("", "<outputFormats><outputFormat format='atom' xsltSrc='/a.xslt'/></outputFormats>"): "outputFormat atom: " +
			"the stylesheet /a.xslt needs a Format in its place",
		section("", "<outputFormats><outputFormat format='RSS' xsltSrc='/r.xslt'/></outputFormats>"): "outputFormat RSS: " +
			"the format of this package is used in the place of /r.xslt",
		section("", "<winHttpSetTimeouts httpdConnectTimeout='0' httpdSendTimeout='0'/>"): "httpdConnectTimeout is 0, " +
			"no limit: the default is used\nhttpdSendTimeout is 0, no limit: the default is used",
	} {
		var o playlist.HandlerOptions
		assert.Equal(t, want, strings.Join(parseConfig(t, doc).Apply(&o), "\n"), doc)
	}
}

// TestApplyTakesFormatsAway: those of this package, those of the caller, in any case.
func TestApplyTakesFormatsAway(t *testing.T) {
	o := &playlist.HandlerOptions{Formats: map[string]playlist.Format{"Mine": playlist.JSON{}}}
	disabled := "<outputFormat format='XSPF' enabled='false'/><outputFormat format='mine' enabled='false'/>"
	require.Empty(t, parseConfig(t, section("", "<outputFormats>"+disabled+"</outputFormats>")).Apply(o))
	v := newVisit(t, o)
	for format, status := range map[string]int{"xspf": 404, "XSPF": 404, "mine": 404, "Mine": 404, "json": 200} {
		assert.Equal(t, status, v.get("/tv/evening.isx?format="+format).StatusCode, format)
	}
}

// TestApplySkipping: what is written as 0 undoes locks as it did in IIS, what is not written does not.
func TestApplySkipping(t *testing.T) {
	for options, status := range map[string]int{
		"<sessionOptions/>": 403, "<sessionOptions allowSkipAfterMinPercent='100'/>": 403,
		"<sessionOptions allowSkipAfterMinPercent='1'/>": 403, "<sessionOptions allowSkipAfterMinPercent='0'/>": 200,
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &playlist.HandlerOptions{}
			require.Empty(t, parseConfig(t, section("", options)).Apply(o))
			v := newVisit(t, o)
			urls := entries(t, bodyOf(t, v.get("/tv/evening.isx")))
			require.Len(t, urls, 3)
			assert.Equal(t, status, v.get(urls[1]).StatusCode, options)
			if status != 200 {
				return
			}
			nested := entries(t, bodyOf(t, v.get(urls[2])))
			require.Len(t, nested, 2)
			assert.Equal(t, 200, v.get(nested[1]).StatusCode)
			assert.Equal(t, 403, v.get(urls[0]).StatusCode, "the other rules hold")
		})
	}
}

// TestApplyTimeouts: the client keeps what else it was given, and waits as long as it is told.
func TestApplyTimeouts(t *testing.T) {
	done := make(chan struct{})
	srv := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/never" {
			<-done
		}
		text("text/plain", "a.wmv")(w, r)
	})
	defer close(done)
	c := parseConfig(t, section("", "<winHttpSetTimeouts httpdReceiveTimeout='20'/>"))
	o := &playlist.HandlerOptions{}
	c.Apply(o)
	_, err := o.Remote.Decide(t.Context(), srv.URL+"/now")
	require.ErrorIs(t, err, playlist.ErrForbiddenSource, "private addresses are refused by default")

	given := newRemote(t, nil)
	o.Remote = given
	c.Apply(o)
	assert.NotSame(t, given, o.Remote)
	_, err = o.Remote.Decide(t.Context(), srv.URL+"/never")
	require.ErrorIs(t, err, playlist.ErrRemoteTimeout)
	require.NoError(t, o.Remote.Close())
}
