package repair

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// maxFragments bounds the fragments of one file, of all tracks together. Their index has to fit into an mfra box.
const maxFragments = smooth.MaxManifestChunks

// media is what a scan has found in a media file.
type media struct {
	name  string
	size  int64
	movie *fmp4.Movie // nil if the file cannot be used
	// moov is the header box, and body where the boxes behind it begin.
	moov fmp4.Box
	body int64
	// live is the live server manifest that an encoder put before moov, or nil.
	live *smooth.ServerManifest
	// tracks in the order of moov.
	tracks []*track
	// holes are bytes between whole fragments that are none, in ascending order, and drops the offsets of moof boxes
	// that are there twice.
	holes []hole
	drops map[int64]bool
	// end is where the last whole fragment ends, and the index begins or should. What follows, up to the index if there is one, is torn.
	end  int64
	torn []hole
	// index is the mfra box at the end, if its size is not zero, and tables what it says; wrong says why it is not right, and broken
	// that it does not even hold together.
	index  fmp4.Box
	tables []fmp4.RandomAccess
	broken bool
	wrong  string
	// times are those of fragments that state none and are in no index, by offset.
	times map[int64]uint64
}

// hole is a part of a file that is no whole fragment.
type hole struct {
	from, to int64
	code     string
	reason   string
}

// track is a track of a media file with its fragments.
type track struct {
	*fmp4.Track
	media *media
	kind  smooth.StreamType
	// fragments in the order of the file, after finish in that of time.
	fragments []fragment
	// more are the offsets of further moof boxes of fragments, in ascending order.
	more []int64
	// bytes is the size of all samples.
	bytes uint64
	// derived counts fragments without a time of their own.
	derived int
	// bare counts fragments whose samples have no durations.
	bare int
}

// fragment is one entry of the index: a moof box, or several that belong together.
type fragment struct {
	time, duration uint64 // ticks of the track; the duration is 0 if not known
	offset         int64  // of the first moof box
	samples        uint32
	// timed tells that the time is the fragment's own, decode that it is a decode time, bare that samples have no durations,
	// shared that there are other tracks in the moof box.
	timed, decode, bare, shared bool
}

// end returns the end of a fragment, in ticks of the track.
func (f *fragment) end() uint64 { return f.time + f.duration }

// track returns the track of an ID, or nil.
func (m *media) track(id uint32) *track {
	for _, t := range m.tracks {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// fragments returns the number of fragments of all tracks.
func (m *media) fragments() int {
	n := 0
	for _, t := range m.tracks {
		n += len(t.fragments)
	}
	return n
}

// usable reports whether there is something to show in the file.
func (m *media) usable() bool { return m.movie != nil && m.fragments() > 0 }

// kindOf returns the type of stream for a handler, or "".
func kindOf(h fmp4.Type) smooth.StreamType {
	switch h {
	case fmp4.HandlerVideo:
		return smooth.Video
	case fmp4.HandlerAudio:
		return smooth.Audio
	case fmp4.HandlerText, fmp4.HandlerSubt, fmp4.HandlerSubp, fmp4.HandlerMeta:
		return smooth.Text
	}
	return ""
}

// isMedia reports whether a name is that of a media file of a presentation.
func isMedia(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".ismv", ".isma", ".ismt":
		return true
	}
	return false
}

// repairedMark stands before the extension of a file that was written again.
const repairedMark = ".repaired"

// freshName returns the name under which a media file is written again.
func freshName(name string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + repairedMark + ext
}

// staleName returns the name of the file that a repaired file was made of, if it is one.
func staleName(name string) (string, bool) {
	ext := path.Ext(name)
	stem, ok := strings.CutSuffix(strings.TrimSuffix(name, ext), repairedMark)
	return stem + ext, ok && stem != "" && !strings.HasSuffix(stem, "/")
}

// scanFile looks at the boxes of a media file. The error is one of reading; what is wrong with the file is in the result.
func scanFile(ctx context.Context, files smooth.Files, name string, known *hints, a *Asset) (*media, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &scanner{w: newWindow(ctx, f), a: a, m: &media{name: name, size: f.Size()}, limit: f.Size()}
	if known != nil {
		s.bad, s.m.times, s.trusted = known.bad, known.times, known.trusted
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.m, nil
}

// hints are what is known of a file before it is looked at.
type hints struct {
	// bad are the offsets of fragments that are not what was recorded, with the reason.
	bad map[int64]string
	// times are those of fragments that state none, by offset, in ticks of the track.
	times map[int64]uint64
	// trusted tells that repair has written the file.
	trusted bool
}

// structural reports whether an error of package fmp4 is about what the file says, not about reading it.
func structural(err error) bool {
	return errors.Is(err, fmp4.ErrCorrupt) || errors.Is(err, fmp4.ErrTooLarge) || errors.Is(err, fmp4.ErrUnsupported)
}

// notThere reports whether an error says that there is no such file.
func notThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, smooth.ErrNotFound)
}
