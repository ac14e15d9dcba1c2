package hls

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// archive is the presentation of an archive. It counts references: the source's and those of its users.
type archive struct {
	name    string
	files   []*archiveFile
	tracks  []archiveTrack // that can be shown, in the order of the server manifest
	snap    *smooth.Snapshot
	modTime time.Time
	checks  []archiveCheck
	bytes   int64 // of the indexes
	refs    atomic.Int64
}

// archiveCheck is the version of a file when the archive was opened, "" if there was none.
type archiveCheck struct{ name, version string }

// archiveFile is a file of MPEG-2 TS.
type archiveFile struct {
	name, version string
	file          smooth.File
	index         *tsIndex // or nil
	err           error    // why there is none
}

// archiveTrack is a bit rate of an archive, which has a file of its own.
type archiveTrack struct {
	server *smooth.ServerTrack
	file   *archiveFile
	kind   smooth.StreamType // what is in the file, which the element in the server manifest may misstate
	stream string
	rate   uint64 // bits per second
	// shift is added to the times of the file: the clocks of two files may lie on either side of where they wrap. It is
	// computed modulo 2^64.
	shift uint64
	// line is the timeline of the stream.
	line smooth.Timeline
}

func newArchive(name string) *archive {
	a := &archive{name: name}
	a.refs.Store(1)
	return a
}

// retain adds a reference unless the last one is gone.
func (a *archive) retain() bool {
	for {
		n := a.refs.Load()
		if n <= 0 {
			return false
		}
		if a.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release drops a reference and closes the files after the last one. a may be nil.
func (a *archive) release() {
	if a == nil || a.refs.Add(-1) != 0 {
		return
	}
	for _, f := range a.files {
		f.file.Close()
	}
}

// changed reports whether a file differs from what was opened.
func (a *archive) changed(ctx context.Context, s *ArchiveSource) bool {
	for _, c := range a.checks {
		if s.versionNow(ctx, c.name) != c.version {
			return ctx.Err() == nil
		}
	}
	return false
}

// archiveOf returns the archive that a presentation is or shows a part of, or nil.
func archiveOf(p smooth.Presentation) *archive {
	for {
		switch q := p.(type) {
		case *archive:
			return q
		case interface{ Unfiltered() smooth.Presentation }:
			p = q.Unfiltered()
		default:
			return nil
		}
	}
}

// Snapshot implements [smooth.Presentation].
func (a *archive) Snapshot(context.Context) (*smooth.Snapshot, error) { return a.snap, nil }

// Close implements [smooth.Presentation].
func (a *archive) Close() error {
	a.release()
	return nil
}

// storedAsTS is why an archive cannot be shown in other forms.
const storedAsTS = "it is stored as MPEG-2 TS, which only HLS can send"

// Fragment implements [smooth.Presentation]: there are none.
func (a *archive) Fragment(_ context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	if a.track(k) == nil {
		return nil, fmt.Errorf("hls: %s: no track %s %d: %w", a.name, k.Stream, k.Bitrate, smooth.ErrNotFound)
	}
	return nil, &smooth.UnsupportedError{Stream: k.Stream, Bitrate: k.Bitrate, Reason: storedAsTS}
}

// track returns the track that a key names, or nil.
func (a *archive) track(k smooth.FragmentKey) *archiveTrack {
	for i := range a.tracks {
		t := &a.tracks[i]
		if t.rate == k.Bitrate && t.server.AttrsKey() == k.Attrs && strings.EqualFold(t.stream, k.Stream) {
			return t
		}
	}
	return nil
}

// keyTolerance is how far the times of the key frames of two renditions may differ to be taken for the same, in ticks of
// 90 kHz: more than rounding does.
const keyTolerance = mpegScale / 1000

// point returns the point of the file at a time of the timeline.
func (t *archiveTrack) point(time uint64) (int, bool) {
	at := smooth.Rescale(time, smooth.DefaultTimescale, mpegScale) - t.shift
	points := t.file.index.points
	i, _ := slices.BinarySearchFunc(points, at, func(p tsPoint, at uint64) int { return compareTimes(p.time, at) })
	for _, j := range [...]int{i, i - 1} {
		if j >= 0 && j < len(points) && distance(points[j].time, at) <= keyTolerance {
			return j, true
		}
	}
	return 0, false
}

func compareTimes(a, b uint64) int {
	switch d := int64(a - b); {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}

// distance returns how far two times modulo 2^64 lie apart.
func distance(a, b uint64) uint64 {
	if d := int64(a - b); d < 0 {
		return uint64(-d)
	}
	return a - b
}

// first and last return the times of a track, in ticks of 90 kHz of the presentation.
func (t *archiveTrack) first() uint64 { return t.file.index.points[0].time + t.shift }
func (t *archiveTrack) last() uint64 {
	p := t.file.index.points
	return p[len(p)-1].end + t.shift
}

// codec returns the configuration of the track itself.
func (t *archiveTrack) codec() *smooth.Codec {
	if t.kind == smooth.Video {
		return t.file.index.video
	}
	return t.file.index.audio
}

// sound returns the configuration of the sound that is in the same file as a picture, or nil.
func (t *archiveTrack) sound() *smooth.Codec {
	if t.kind == smooth.Video {
		return t.file.index.audio
	}
	return nil
}
