package repair

import (
	"bytes"
	"cmp"
	"context"
	"path"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// described is a track with the name and bit rate that it gets.
type described struct {
	asset.Track
	t *track
	// stated tells that an encoder or a recording has said them.
	stated bool
}

func inputs(list []described) []asset.Track {
	out := make([]asset.Track, len(list))
	for i := range list {
		out[i] = list[i].Track
	}
	return out
}

// describe gives tracks names and bit rates that differ from each other and from those of the manifest, which may be nil. Tracks of
// unknown codecs are left out, and so is what an encoder has sent in two files.
func (w *work) describe(ctx context.Context, tracks []*track, s *shown) ([]described, error) {
	var client *smooth.Manifest
	taken := make(map[smooth.FragmentKey]*track)
	if s != nil {
		for i := range s.manifest.Tracks {
			st := &s.manifest.Tracks[i]
			taken[smooth.FragmentKey{Stream: streamName(st), Bitrate: st.Bitrate, Attrs: st.AttrsKey()}] = s.tracks[i]
		}
	}
	if s == nil {
		client = w.oldClient(ctx)
	}
	var list []described
	for _, t := range tracks {
		d, ok := w.one(t, tracks, client)
		if !ok {
			continue
		}
		k := &d.Input.Key
		if o := taken[*k]; d.stated && o != nil {
			w.a.note(FileUnlisted, t.media.name, -1, "track %d: %s at %d bits/s is also track %d of %s", t.ID, k.Stream, k.Bitrate, o.ID, o.media.name)
			continue
		}
		for taken[*k] != nil {
			k.Bitrate++
		}
		d.Input.Level.Bitrate = k.Bitrate
		taken[*k] = t
		list = append(list, d)
	}
	return list, nil
}

// one describes a track: as a recording or an encoder has, or else as an earlier client manifest, the file, and its size tell.
func (w *work) one(t *track, all []*track, client *smooth.Manifest) (described, bool) {
	d := described{t: t, Track: asset.Track{File: path.Base(t.media.name)}}
	codec, err := smooth.CodecFromSampleEntry(t.Entry)
	if err != nil {
		w.a.note(MediaUnreadable, t.media.name, t.EntryOffset, "track %d is left out: %v", t.ID, err)
		return d, false
	}
	if in, ok := w.recorded(t); ok {
		d.Input, d.stated = in, true
		d.Known = t.stated()
		return d, true
	}
	in := smooth.InputTrack{ID: t.ID, Codec: codec}
	in.Stream = &smooth.Stream{Type: t.kind, Name: defaultName(t, all)}
	if t.kind != smooth.Video && t.Language != "und" {
		in.Stream.Language = t.Language
	}
	var rate uint64
	if st := t.stated(); st != nil {
		d.Known = st
		rate, d.stated = st.Bitrate, st.HasBitrate
		in.Stream.Language = cmp.Or(st.Language, in.Stream.Language)
		in.Stream.Parent, in.Stream.ManifestOutput = st.Parent(), st.ManifestOutput()
		in.Stream.Subtype, _ = st.Param("Subtype")
		if name, ok := st.Param("trackName"); ok && name != "" {
			in.Stream.Name = name
		}
	} else if stream, level := match(client, t, codec); level != nil {
		rate = level.Bitrate
		in.Stream.Name, in.Stream.Subtype = stream.Name, stream.Subtype
		in.Stream.Language = cmp.Or(stream.Language, in.Stream.Language)
	}
	if rate == 0 && !d.stated {
		rate = t.rate()
	}
	in.Level = codec.QualityLevel(rate)
	if d.Known != nil && len(d.Known.Attrs()) > 0 {
		in.Level.CustomAttributes = d.Known.Attrs()
	}
	in.Key = smooth.FragmentKey{Stream: in.Stream.Name, Bitrate: rate, Attrs: in.Level.AttrsKey()}
	d.Input = in
	return d, true
}

// recorded returns what a journal says of a track.
func (w *work) recorded(t *track) (smooth.InputTrack, bool) {
	if w.journal == nil {
		return smooth.InputTrack{}, false
	}
	name := t.media.name
	if of, ok := staleName(name); ok && w.byName[of] == t.media {
		name = of
	}
	for _, j := range w.journal.tracks[name] {
		if j.ID == t.ID && j.Stream != nil && j.Level != nil && j.Stream.Type == t.kind {
			return smooth.InputTrack{ID: j.ID, Key: j.Key, Stream: j.Stream, Level: j.Level, Codec: j.Codec}, true
		}
	}
	return smooth.InputTrack{}, false
}

// stated returns what the encoder has said of a track, or nil.
func (t *track) stated() *smooth.ServerTrack {
	live := t.media.live
	if live == nil {
		return nil
	}
	var only *smooth.ServerTrack
	for i := range live.Tracks {
		st := &live.Tracks[i]
		if id, ok := st.TrackID(); ok && id == t.ID && st.Type == t.kind {
			return st
		}
		if st.Type == t.kind {
			if only != nil {
				return nil
			}
			only = st
		}
	}
	if only != nil {
		if _, ok := only.TrackID(); ok {
			return nil
		}
	}
	return only
}

// defaultName returns the name of the stream of a track about which nobody has said anything: that of its type, with the language
// where there are several.
func defaultName(t *track, all []*track) string {
	name := string(t.kind)
	if t.kind == smooth.Video || t.Language == "und" || t.Language == "" {
		return name
	}
	for _, o := range all {
		if o.kind == t.kind && o.Language != t.Language {
			return name + "_" + t.Language
		}
	}
	return name
}

// streamName returns the name of the stream of an element, as in the client manifest.
func streamName(st *smooth.ServerTrack) string {
	if _, ok := st.Param("trackName"); !ok && st.Type == smooth.Text {
		return string(smooth.Text)
	}
	return st.Name()
}

// oldClient returns the client manifest that lies beside the server manifest, or was there before, or nil.
func (w *work) oldClient(ctx context.Context) *smooth.Manifest {
	name := path.Join(w.p.dir, w.p.base+".ismc")
	for _, name := range []string{name, name + beforeExt} {
		data, err := readSmall(ctx, w.files, name, smooth.MaxClientManifest)
		if err != nil || len(data) == 0 {
			continue
		}
		if m, err := smooth.ParseManifest(data); err == nil && len(m.Streams) > 0 {
			return m
		}
	}
	return nil
}

// match returns the level of a client manifest that is the track: of those with the same configuration and a fragment of the same
// time the one whose bit rate is nearest to what the track has.
func match(m *smooth.Manifest, t *track, codec *smooth.Codec) (*smooth.Stream, *smooth.QualityLevel) {
	if m == nil {
		return nil, nil
	}
	var stream *smooth.Stream
	var level *smooth.QualityLevel
	measured := t.rate()
	far := func(l *smooth.QualityLevel) uint64 { return max(l.Bitrate, measured) - min(l.Bitrate, measured) }
	for _, st := range m.Streams {
		if st.Type != t.kind || len(st.Timeline) == 0 {
			continue
		}
		at := smooth.Rescale(t.fragments[0].time, uint64(max(t.Timescale, 1)), m.TimescaleOf(st))
		if _, ok := st.Timeline.Find(at); !ok {
			continue
		}
		for _, l := range st.Levels {
			if bytes.Equal(l.CodecPrivateData, codec.PrivateData) && (level == nil || far(l) < far(level)) {
				stream, level = st, l
			}
		}
	}
	return stream, level
}

// rate returns the bit rate of a track in bits per second, from its sample entry or else measured.
func (t *track) rate() uint64 {
	kind := fmp4.PlainEntry
	switch t.kind {
	case smooth.Video:
		kind = fmp4.VisualEntry
	case smooth.Audio:
		kind = fmp4.AudioEntry
	}
	if r := fmp4.EntryBitrate(t.Entry, kind); r > 0 {
		return r
	}
	if r := esdsRate(t.Entry); t.kind == smooth.Audio && r > 0 {
		return r
	}
	from, to := t.span()
	r := smooth.Rescale(min(t.bytes, 1<<60)*8, max(to-from, 1), smooth.DefaultTimescale)
	const round = 1000
	if r > 10*round {
		r = (r + round/2) / round * round
	}
	return max(r, 1)
}

// esdsRate returns the average bit rate that the esds box of a sample entry states, or 0.
func esdsRate(entry []byte) uint64 {
	e, err := fmp4.ParseEntry(entry, fmp4.AudioEntry)
	if err != nil {
		return 0
	}
	raw := e.Box("esds")
	if raw == nil {
		return 0
	}
	box, err := fmp4.DecodeEntryBox(raw.Raw)
	if err != nil {
		return 0
	}
	if esds, ok := box.(*mp4.EsdsBox); ok && esds.DecConfigDescriptor != nil {
		return uint64(esds.DecConfigDescriptor.AvgBitrate)
	}
	return 0
}
