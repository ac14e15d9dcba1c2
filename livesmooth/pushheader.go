package livesmooth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// headerBoxes are the boxes before the first fragment, each with its header; nil if there is none. Other boxes are not kept.
type headerBoxes struct {
	ftyp, streams, manifest, moov []byte
	// manifestAt and moovAt are offsets in the body, for errors.
	streamsAt, manifestAt, moovAt int64
}

// parsePushHeader reads the header of an input stream. maxTracks bounds its tracks. Tracks that a presentation cannot have are
// left out; without any other the error wraps [ErrMedia].
func parsePushHeader(b headerBoxes, maxTracks int) (*pushHeader, error) {
	movie, err := fmp4.ParseMovie(b.moov, b.moovAt)
	if err != nil {
		return nil, pushError(err)
	}
	if len(movie.Tracks) > maxTracks {
		return nil, fmt.Errorf("livesmooth: push: moov at byte %d: %d tracks, the limit is %d: %w", b.moovAt, len(movie.Tracks), maxTracks, ErrLimit)
	}
	h := &pushHeader{boxes: b, described: b.manifest != nil}
	if b.streams != nil {
		if h.required, err = parseStreamManifest(b.streams, b.streamsAt); err != nil {
			return nil, err
		}
	}
	if h.described {
		if h.manifest, err = parseLiveManifest(b.manifest, b.manifestAt); err != nil {
			return nil, err
		}
	}
	described, err := h.assign(movie)
	if err != nil {
		return nil, err
	}
	for i := range movie.Tracks {
		h.addTrack(&movie.Tracks[i], described[i])
	}
	if len(h.tracks) == 0 {
		return nil, fmt.Errorf("livesmooth: push: moov at byte %d: %w: %w", b.moovAt, ErrMedia, h.reasons())
	}
	for _, p := range movie.Protection {
		h.protection = append(h.protection, smooth.ProtectionHeader{SystemID: formatUUID(p.SystemID), Data: p.Data})
	}
	return h, h.finish()
}

// reasons joins why tracks are left out.
func (h *pushHeader) reasons() error {
	if len(h.ignored) == 0 {
		return errors.New("no tracks")
	}
	var all []error
	for _, t := range h.ignored {
		all = append(all, t.err)
	}
	return errors.Join(all...)
}

// parseLiveManifest reads a live server manifest box. Some encoders write version 0, some 1; both have the same content. See
// [MS-SSTR] 2.2.7.3.
func parseLiveManifest(raw []byte, offset int64) (*smooth.ServerManifest, error) {
	text, err := fmp4.ParseFullUUID(raw, offset)
	if err != nil {
		return nil, pushError(err)
	}
	m, err := smooth.ParseServerManifest(text)
	if err != nil {
		return nil, fmt.Errorf("livesmooth: push: live server manifest at byte %d: %w: %w", offset, ErrMalformed, err)
	}
	return m, nil
}

// assign returns the track of the manifest for each track of the movie, nil where there is none: by trackID, or else, as
// that may be absent, by type and order.
func (h *pushHeader) assign(movie *fmp4.Movie) ([]*smooth.ServerTrack, error) {
	list := make([]*smooth.ServerTrack, len(movie.Tracks))
	if h.manifest == nil {
		return list, nil
	}
	named := false
	for i := range h.manifest.Tracks {
		st := &h.manifest.Tracks[i]
		id, ok := st.TrackID()
		if !ok {
			continue
		}
		named = true
		k := slices.IndexFunc(movie.Tracks, func(t fmp4.Track) bool { return t.ID == id })
		if k < 0 || list[k] != nil {
			continue // of another input stream, or listed twice
		}
		if kind := handlerType(movie.Tracks[k].Handler); kind != st.Type && (st.Type != smooth.Text || kind != "") {
			return nil, fmt.Errorf("livesmooth: push: track %d has handler %v, the live server manifest says %s: %w",
				id, movie.Tracks[k].Handler, st.Element(), ErrMalformed)
		}
		list[k] = st
	}
	if !named {
		assignInOrder(list, h.manifest, movie)
	}
	return list, nil
}

// assignInOrder pairs tracks of one type in the order in which both documents have them.
func assignInOrder(list []*smooth.ServerTrack, m *smooth.ServerManifest, movie *fmp4.Movie) {
	for i := range m.Tracks {
		for k := range movie.Tracks {
			if list[k] == nil && handlerType(movie.Tracks[k].Handler) == m.Tracks[i].Type {
				list[k] = &m.Tracks[i]
				break
			}
		}
	}
}

// addTrack adds a track of the movie, which the manifest describes if st is not nil.
func (h *pushHeader) addTrack(t *fmp4.Track, st *smooth.ServerTrack) {
	track, err := newPushTrack(t, st)
	if t.ID == 0 {
		err = fmt.Errorf("no track_ID: %w", ErrMalformed)
	}
	if err == nil && h.twin(&track, st) {
		err = fmt.Errorf("stream %s has bit rate %d twice: %w", track.stream.Name, track.bitrate, ErrConflict)
	}
	if err != nil {
		h.ignored = append(h.ignored, ignoredTrack{t.ID, t.Defaults, fmt.Errorf("track %d: %w", t.ID, err)})
		return
	}
	h.tracks = append(h.tracks, track)
}

// twin reports whether a track before t is the same by name, language and bit rate. Where custom attributes tell the two
// apart both get them; elsewhere they are left out, since few clients can put them into URLs. Bit rates that nobody gave a
// track to be named by, those of sample entries, are made to differ.
func (h *pushHeader) twin(t *pushTrack, st *smooth.ServerTrack) bool {
	if t.bitrate == 0 && !t.stated {
		return false
	}
	if st == nil || !st.HasBitrate {
		for slices.ContainsFunc(h.tracks, t.same) {
			t.bitrate++
		}
		return false
	}
	t.own = st.Attrs()
	for i := range h.tracks {
		o := &h.tracks[i]
		if !t.same(*o) {
			continue
		}
		if slices.Equal(o.own, t.own) {
			return true
		}
		o.attrs, t.attrs = o.own, t.own
	}
	return false
}

// same reports whether viewers could tell t from o by nothing but custom attributes.
func (t *pushTrack) same(o pushTrack) bool {
	return o.bitrate == t.bitrate && o.stream.Name == t.stream.Name && o.stream.Type == t.stream.Type &&
		(o.stream.Type == smooth.Video || o.stream.Language == t.stream.Language)
}

// finish makes manifest and raw: what was received, if that describes the fragments as they are kept.
func (h *pushHeader) finish() error {
	b := &h.boxes
	asReceived := h.described && b.ftyp != nil
	for i := range h.tracks {
		asReceived = asReceived && h.tracks[i].timescale == scale && h.tracks[i].shift == 0 && h.tracks[i].delay == 0
	}
	if asReceived {
		h.raw = slices.Concat(b.ftyp, b.streams, b.manifest, b.moov)
		return nil
	}
	return h.rewrite()
}

// rewrite makes manifest and raw anew, of the received moov and what is known of the tracks.
func (h *pushHeader) rewrite() error {
	var ids []uint32
	for i := range h.tracks {
		ids = append(ids, h.tracks[i].id)
	}
	moov, err := fmp4.LiveMovie(h.boxes.moov, h.boxes.moovAt, scale, ids)
	if err != nil {
		return pushError(err)
	}
	h.manifest = h.describe()
	text, err := h.manifest.AppendXML(nil)
	if err != nil {
		return fmt.Errorf("livesmooth: push: live server manifest: %w: %w", ErrMalformed, err)
	}
	h.raw = append(h.raw[:0:0], liveFtyp...)
	h.raw = append(h.raw, h.boxes.streams...)
	h.raw = fmp4.AppendFullUUID(h.raw, fmp4.UUIDLiveServerManifest, text)
	h.raw = append(h.raw, moov...)
	return nil
}

// liveFtyp is the file type box of [MS-SSTR] 2.2.7.1.
const liveFtyp = "\x00\x00\x00\x18ftypisml\x00\x00\x00\x01piffiso2"

// withBitrates returns a header in which tracks without a bit rate have the one that is given for their position, so that
// other servers call them the same. Zero leaves a track as it is.
func (h *pushHeader) withBitrates(rates []uint64) (*pushHeader, error) {
	c := *h
	c.tracks = slices.Clone(h.tracks)
	for i, rate := range rates[:min(len(rates), len(c.tracks))] {
		if t := &c.tracks[i]; t.bitrate == 0 && !t.stated {
			t.bitrate = rate
		}
	}
	return &c, c.rewrite()
}

// pushError gives an error of the boxes, or of what is in them, the sentinel of this package that fits. The end of a body that
// breaks off, and errors of the connection, stay what they are.
func pushError(err error) error {
	switch {
	case errors.Is(err, fmp4.ErrTooLarge), errors.Is(err, smooth.ErrTooLarge):
		return fmt.Errorf("livesmooth: push: %w: %w", ErrLimit, err)
	case errors.Is(err, fmp4.ErrCorrupt), errors.Is(err, fmp4.ErrUnsupported):
		return fmt.Errorf("livesmooth: push: %w: %w", ErrMalformed, err)
	}
	return fmt.Errorf("livesmooth: push: %w", err)
}
