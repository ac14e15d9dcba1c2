package repair_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// packaged returns a directory with what package packager makes of the small media.
func packaged(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	res, err := packager.Package(t.Context(), packager.Job{Dir: dir, Name: "film", Inputs: []packager.Input{
		{Path: testmedia.Media(t, "high.mp4")}, {Path: testmedia.Media(t, "low.mp4")}, {Path: testmedia.Media(t, "german.m4a")}}})
	require.NoError(t, err)
	return dir, res.Files
}

// TestPackaged: nothing is wrong with what the packager makes, and all of it can be made again of the media files.
func TestPackaged(t *testing.T) {
	dir, files := packaged(t)
	store, err := archive.Dir(dir)
	require.NoError(t, err)
	defer store.Close()
	r, err := repair.Repair(t.Context(), store, ".", &repair.Options{Payload: true})
	a := one(t, r, err)
	require.Equal(t, &repair.Asset{Name: "film.ism", Plays: true}, a)

	whole := payloads(t, store, "film.ism")
	for _, name := range files {
		path := filepath.Join(dir, name)
		if ext := filepath.Ext(name); ext == ".ism" || ext == ".ismc" {
			require.NoError(t, os.Truncate(path, 0))
			continue
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(withoutIndex(t, b), noise(1000)...), 0o644))
	}
	r, err = repair.Repair(t.Context(), store, ".", &repair.Options{Payload: true})
	a = one(t, r, err)
	require.True(t, a.Plays, "%v", r)
	require.Len(t, payloads(t, store, "film.ism"), len(whole))
	r, err = repair.Repair(t.Context(), store, ".", nil)
	require.NoError(t, err)
	require.Zero(t, r.Faults()+r.Done(), "%v", r)
}

// TestLocked: an archive that records is left alone.
func TestLocked(t *testing.T) {
	dir, _ := packaged(t)
	store, err := archive.Dir(dir)
	require.NoError(t, err)
	defer store.Close()
	lock, err := store.Lock(t.Context())
	require.NoError(t, err)
	defer lock.Close()
	other, err := archive.Dir(dir)
	require.NoError(t, err)
	defer other.Close()
	_, err = repair.Repair(t.Context(), other, ".", nil)
	require.ErrorIs(t, err, archive.ErrLocked)
}

// TestReal: presentations of others are found to be good.
func TestReal(t *testing.T) {
	for _, rel := range []string{"testdata/smooth/package-bbb", "testdata/smooth/package-mbr-mp4"} {
		t.Run(rel, func(t *testing.T) {
			src := smooth.Dir(testmedia.Shared(t, rel), nil)
			defer src.Close()
			r, err := repair.Check(context.Background(), src.Files(), ".", nil)
			require.NoError(t, err)
			t.Log(r)
			require.Zero(t, r.Faults(), "%v", r)
		})
	}
}

// TestSmallMedia: what ffmpeg wrote for Smooth Streaming, by itself.
func TestSmallMedia(t *testing.T) {
	for _, name := range []string{"av.ismv"} {
		s := lossyWith(t, "rec/"+name, testmedia.File(t, name))
		r, err := repair.Repair(t.Context(), s, ".", nil)
		a := one(t, r, err)
		t.Log(r)
		require.True(t, a.Plays, "%v", r)
		require.False(t, a.Has(repair.MfraWrong), "it states 0 for the time before 0 of priming samples")
		require.Len(t, manifestOf(t, s, a.Name).Streams, 2)
		settled(t, s)
	}
}
