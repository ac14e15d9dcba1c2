package smooth_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
)

// TestEncryptedProgressive: the initialisation vectors of a progressive file are in boxes that fragments cannot carry
// over, so its samples must not go out as if they were clear.
func TestEncryptedProgressive(t *testing.T) {
	data, err := os.ReadFile(testmedia.Media(t, "encrypted.mp4"))
	require.NoError(t, err)
	var log bytes.Buffer
	src := smooth.FS(fstest.MapFS{"film.mp4": {Data: data}}, &smooth.FileOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer src.Close()
	_, err = src.Open(context.Background(), "film.mp4")
	require.ErrorIs(t, err, smooth.ErrUnsupported)
	require.Contains(t, log.String(), "initialisation vectors")
}

// TestUnknownCodecIsLogged: a film that loses its sound because of the codec says so.
func TestUnknownCodecIsLogged(t *testing.T) {
	data, err := os.ReadFile(testmedia.Media(t, "high.mp4"))
	require.NoError(t, err)
	data = bytes.Replace(data, []byte("mp4a"), []byte("zzzz"), 1)
	var log logs
	src := smooth.FS(fstest.MapFS{"film.mp4": {Data: data}}, &smooth.FileOptions{Logger: log.logger()})
	defer src.Close()
	p, err := src.Open(t.Context(), "film.mp4")
	require.NoError(t, err)
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, snap.Manifest.Streams, 1)
	require.Contains(t, log.String(), "track is left out")
	require.Contains(t, log.String(), "zzzz")
}

// TestSoundCutElsewhere: sound of one language whose fragments start elsewhere, such as that of another codec, is a
// stream of its own and not left out.
func TestSoundCutElsewhere(t *testing.T) {
	files := fstest.MapFS{"film.ism": {Data: []byte(`<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><body><switch>` +
		`<audio src="one.mp4" systemLanguage="eng"/><audio src="other.mp4" systemLanguage="eng"/></switch></body></smil>`)}}
	data, err := os.ReadFile(testmedia.Media(t, "german.m4a"))
	require.NoError(t, err)
	files["one.mp4"] = &fstest.MapFile{Data: data}
	other := bytes.Clone(data)
	at := bytes.Index(other, []byte("mdhd")) + 16
	binary.BigEndian.PutUint32(other[at:], 24_000) // frames last another time
	files["other.mp4"] = &fstest.MapFile{Data: other}
	var log logs
	src := smooth.FS(files, &smooth.FileOptions{Logger: log.logger()})
	defer src.Close()
	p, err := src.Open(t.Context(), "film.ism")
	require.NoError(t, err)
	snap, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, snap.Manifest.Streams, 2, log.String())
	require.Equal(t, "audio", snap.Manifest.Streams[0].Name)
	require.Equal(t, "audio_eng", snap.Manifest.Streams[1].Name)
}
