package archive_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/smooth"
)

// interrupted returns the files of an event that was interrupted.
func interrupted(t testing.TB, length time.Duration) (event, journal, media string) {
	store := lossy.New()
	a, err := archive.NewStore(context.Background(), store, quiet())
	require.NoError(t, err)
	f := newFeed(t, "enc", small())
	f.event.Archive.SegmentLength = length
	r := f.begin(a)
	f.record(r, 9*time.Second)
	require.NoError(t, r.Close(context.Background(), false))
	require.NoError(t, a.Close())
	dir := "live/demo-isml/20260702T120000Z/"
	return fileContent(t, store, dir+"event.json"), fileContent(t, store, dir+"1/demo.journal"), fileContent(t, store, dir+"1/enc.ismv")
}

// FuzzRecover opens an archive whose files may hold anything, reads it, and goes on with the event.
func FuzzRecover(f *testing.F) {
	for _, length := range []time.Duration{0, 4 * time.Second} {
		event, journal, media := interrupted(f, length)
		f.Add(event, journal, media)
		f.Add(event, journal[:len(journal)/2], media[:len(media)/2])
	}
	f.Add(`{"Point":"live/demo.isml","Segments":[]}`, "", "")
	f.Add(`{"Point":"live/demo.isml","Segments":[{"Number":1},{"Number":2,"From":9223372036854775807}],"SegmentLength":1}`, "", "")
	f.Add(`{"Point":"live/demo.isml","First":18446744073709551615,"Segments":[{"Number":9223372036854775807}],"SegmentLength":9223372036854775807}`, "", "")
	f.Add(`{"Point":"a/..","Segments":[{"Number":1}],"Ended":true}`, "", "")
	f.Fuzz(func(t *testing.T, event, journal, media string) {
		store := lossy.New()
		const dir = "live/demo-isml/20260702T120000Z/"
		require.NoError(t, store.Replace(t.Context(), dir+"event.json", []byte(event)))
		for _, s := range []string{"1", "2", "2.hold"} {
			require.NoError(t, store.Replace(t.Context(), dir+s+"/demo.journal", sealed(journal)))
			require.NoError(t, store.Replace(t.Context(), dir+s+"/enc.ismv", []byte(media)))
		}
		a, err := archive.NewStore(t.Context(), store, quiet())
		require.NoError(t, err)
		look(t, a, dir+"demo.ism", dir+"demo.isml", dir+"1/demo.ism")
		feed := newFeed(t, "enc", small())
		r := feed.begin(a)
		h := r.History()
		for _, frag := range feed.until(14 * time.Second) {
			_ = r.Append(t.Context(), "enc", frag)
			_ = r.Durable()
		}
		_, _ = h.Snapshot(t.Context())
		look(t, a, dir+"demo.ism", dir+"demo.isml", dir+"1/demo.ism")
		_ = r.Close(t.Context(), true)
		require.NoError(t, h.Close())
		look(t, a, dir+"demo.ism", dir+"demo.isml", dir+"1/demo.ism", dir+"2/demo.ism")
		require.NoError(t, a.Close())
	})
}

// sealed returns a journal in which all records have the checksums that they should.
func sealed(journal string) []byte {
	b := []byte(journal)
	for rest := b; len(rest) > 8; {
		n := int64(binary.BigEndian.Uint32(rest))
		if n > int64(len(rest)-8) {
			n = int64(len(rest) - 8)
			binary.BigEndian.PutUint32(rest, uint32(n))
		}
		rest = rest[4:]
		binary.BigEndian.PutUint32(rest[n:], crc32.Checksum(rest[:n], crc32.MakeTable(crc32.Castagnoli)))
		rest = rest[n+4:]
	}
	return b
}

// look opens presentations and reads of them.
func look(t testing.TB, a *archive.Archive, names ...string) {
	for _, name := range names {
		p, err := a.Open(t.Context(), name)
		if err != nil {
			continue
		}
		readLast(t, p)
		require.NoError(t, p.Close())
	}
	err := a.List(t.Context(), func(i smooth.Info) bool { return !strings.Contains(i.Name, "\x00") })
	require.NoError(t, err)
}
