package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

const manifest = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="audio" Chunks="@" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(audio={start time})">
<QualityLevel Index="0" Bitrate="96000" FourCC="AACL" SamplingRate="48000" Channels="2" BitsPerSample="16" PacketSize="4" AudioTag="255" CodecPrivateData="1190"/>
<c t="0" d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

func runCommand(args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(context.Background(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.ismc")
	write := func(chunks string) {
		assert.NoError(t, os.WriteFile(name, bytes.Replace([]byte(manifest), []byte("@"), []byte(chunks), 1), 0o600))
	}
	write("1")
	code, out, _ := runCommand(name)
	assert.Equal(t, 0, code, out)
	assert.Contains(t, out, "checked 1 documents")
	write("5")
	code, out, _ = runCommand(name)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "SM209 error ([MS-SSTR] 2.2.2.3) stream audio line 2 in "+name+": Chunks is 5, 1 are listed")
}

func TestURL(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html></html>")
	}))
	defer srv.Close()
	code, out, _ := runCommand(srv.URL + "/a.ism/Manifest")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "SH102")
	assert.Contains(t, out, "StripPrefix")
}

func TestHLS(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.m3u8")
	text := "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:1,\n@\n#EXT-X-ENDLIST\n"
	assert.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	code, out, _ := runCommand("-manifest", name)
	assert.Equal(t, 0, code, out)
	code, out, _ = runCommand("-manifest", "-iis", name)
	assert.Equal(t, 0, code, out)
	code, out, _ = runCommand(name)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "HH111")
	assert.NoError(t, os.WriteFile(name, []byte(text[:len(text)-15]), 0o600))
	code, out, _ = runCommand("-manifest", "-errors", name)
	assert.Equal(t, 0, code, out)

	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	for _, path := range []string{"/a/master.m3u8", "/a.ism/manifest(format=m3u8-aapl)"} {
		code, out, _ = runCommand(srv.URL + path)
		assert.Equal(t, 1, code)
		assert.Contains(t, out, "HH101")
	}
}

// A directory is checked through its master playlist.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	code, _, errOut := runCommand(dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, errOut, "is a directory")
	text := "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"
	assert.NoError(t, os.WriteFile(filepath.Join(dir, "master.m3u8"), []byte(text), 0o600))
	code, out, errOut := runCommand("-manifest", dir)
	assert.NotEqual(t, 2, code, errOut)
	assert.Contains(t, out, "checked 1 documents")
}

func TestUsage(t *testing.T) {
	code, out, _ := runCommand("-rules")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, "SM209 error   Chunks is the number of fragments listed ([MS-SSTR] 2.2.2.3)")
	assert.Contains(t, out, "HL102 error   no EXTINF, rounded to the nearest integer, is above the target duration (RFC 8216 4.3.3.1)")
	for _, args := range [][]string{{}, {"-nope"}, {"a", "b"}, {"missing.ismc"}, {"missing.m3u8"}, {"http://127.0.0.1:1/a.m3u8"}, {"http://127.0.0.1:1/a.ism"}} {
		code, _, errOut := runCommand(args...)
		assert.Equal(t, 2, code, args)
		assert.NotEmpty(t, errOut)
	}
}
