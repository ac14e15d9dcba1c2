package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

func TestParseHead(t *testing.T) {
	status, size := parseHead([]byte("HTTP/1.1 200 OK\r\nEtag: \"content-length: 1\"\r\ncontent-Length: 4711\r\nDate: x"))
	assert.Equal(t, 200, status)
	assert.Equal(t, 4711, size)
	status, size = parseHead([]byte("HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0"))
	assert.Equal(t, 412, status)
	assert.Zero(t, size)
	status, _ = parseHead([]byte("HTTP"))
	assert.Zero(t, status)
}

func TestSegmentOf(t *testing.T) {
	start, n, ok := segmentOf("QualityLevels(1)/Fragments(video=60000000,format=m3u8-aapl-v3,n=3,audiotrack=audio).ts")
	assert.True(t, ok)
	assert.EqualValues(t, 60000000, start)
	assert.Equal(t, 3, n)
	for _, line := range []string{"#EXTINF:6,", "Fragments(video=x,n=3).ts", "Fragments(video=1).ts", "Fragments(video=1,n=3"} {
		_, _, ok = segmentOf(line)
		assert.False(t, ok, line)
	}
}

// TestSendChunks reads the body of an encoder as a server does.
func TestSendChunks(t *testing.T) {
	var wire bytes.Buffer
	wire.WriteString("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	data := bytes.Repeat([]byte("0123456789"), 7000)
	before := -1
	require.NoError(t, sendChunks(&wire, data, func() { before = wire.Len() }))
	assert.True(t, strings.HasSuffix(wire.String()[:before], "\r\n"))
	assert.Less(t, wire.Len()-before, chunkSize)
	wire.WriteString("0\r\n\r\n")
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	require.NoError(t, err)
	got, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	assert.Equal(t, data, got)
}

// TestContents compares what the viewers expect with what the encoder of all tracks sends.
func TestContents(t *testing.T) {
	lanes := viewerLanes()
	b := smoothtest.NewEncoder(encoderConfig(lanes...)).Until(2 * length)
	n := 0
	for ; len(b) > 0; n++ {
		moof := fmp4.MoofSize(b)
		require.Positive(t, moof)
		mdat := boxSize(b[moof:])
		assert.Equal(t, lanes[n%len(lanes)].contents(2)[n/len(lanes)].size, mdat-8)
		b = b[moof+mdat:]
	}
	assert.Equal(t, 2*len(lanes), n)
}

func TestSchedule(t *testing.T) {
	s := schedule{start: time.Unix(100, 0), n: 30}
	assert.Equal(t, time.Unix(106, 0), s.due(0), "its end, and the two after it")
	assert.Equal(t, 28, s.lastWatched())
	assert.False(t, s.start.Add(joinAt+joinTime).After(s.due(firstWatched)), "all have joined")
}
