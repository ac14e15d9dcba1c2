package packager_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// TestValid: the validator, which shares no code with the packager, finds nothing in the files, nor in what our
// handler serves of them.
func TestValid(t *testing.T) {
	dir := t.TempDir()
	text := write(t, t.TempDir(), "captions.en.vtt", "WEBVTT\n\n00:01.000 --> 00:03.000\nHello\n")
	res := pack(t, packager.Job{Dir: dir, Name: "film", Inputs: []packager.Input{
		{Path: testmedia.Media(t, "high.mp4")}, {Path: testmedia.Media(t, "low.mp4")},
		{Path: testmedia.Media(t, "german.m4a")}, {Path: text},
	}})
	requireValid(t, dir, res)
	quiet := slog.New(slog.DiscardHandler)
	srv := httptest.NewServer(http.StripPrefix("/v", smooth.NewHandler(smooth.Dir(dir, nil), &smooth.HandlerOptions{Logger: quiet})))
	defer srv.Close()
	report, err := validate.URL(context.Background(), srv.URL+"/v/film.ism/Manifest", nil)
	require.NoError(t, err)
	for _, v := range report.Violations {
		assert.Fail(t, "violation", "%v", v)
	}
}

// requireValid fails for anything that the validator says about the files.
func requireValid(t *testing.T, dir string, res *packager.Result) {
	t.Helper()
	for _, name := range res.Files {
		report, err := validate.File(context.Background(), filepath.Join(dir, name), nil)
		require.NoError(t, err, name)
		for _, v := range report.Violations {
			if v.Rule.ID != "SM422" { // streams of different lengths: some of the inputs are like that
				assert.Fail(t, "violation", "%s: %v", name, v)
			}
		}
	}
}
