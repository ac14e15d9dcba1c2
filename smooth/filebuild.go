package smooth

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// manifestBuilder makes a client manifest of the tracks in files.
type manifestBuilder struct {
	*loader
	m *Manifest
}

// build returns the manifest and drops tracks that cannot be part of it, with a warning each.
func (b *manifestBuilder) build() (*Manifest, error) {
	b.m = &Manifest{MajorVersion: 2, Timescale: DefaultTimescale}
	var kept []*fileTrack
	var dropped error
	for _, t := range b.p.tracks {
		if err := b.add(t); err != nil {
			dropped = err
			b.opts.Logger.Warn("track is left out", "presentation", b.name, "file", t.media.name, "track", t.source.ID, "err", err)
			continue
		}
		kept = append(kept, t)
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("smooth: %s: no track can be shown, the last one because: %w", b.name, dropped)
	}
	b.p.tracks = kept
	b.order()
	for _, st := range b.m.Streams {
		b.m.Duration = max(b.m.Duration, Rescale(st.Timeline.End(), b.m.TimescaleOf(st), DefaultTimescale))
		for i, lv := range st.Levels {
			lv.Index = uint32(i)
		}
	}
	b.protect()
	return b.m, b.embed()
}

// order puts video before audio before text, each in the order of the server manifest.
func (b *manifestBuilder) order() {
	var list []*Stream
	for _, kind := range []StreamType{Video, Audio, Text} {
		for _, st := range b.m.Streams {
			if st.Type == kind {
				list = append(list, st)
			}
		}
	}
	b.m.Streams = list
}

// add makes t a level of its stream.
func (b *manifestBuilder) add(t *fileTrack) error {
	if err := t.complete(); err != nil {
		return err
	}
	if t.len() == 0 {
		return &FileError{File: t.media.name, Path: "moof", Offset: t.media.file.Size(), Err: ErrCorrupt,
			Reason: fmt.Sprintf("track %d has no fragments up to the end of the file", t.source.ID), Remedy: remedyFor(ErrCorrupt)}
	}
	tl := t.timeline()
	st := b.stream(t, tl)
	if !b.needsAttributes(t) {
		t.attrs = ""
	}
	for !t.server.HasBitrate && st.Level(t.bitrate, t.attrs) != nil {
		t.bitrate++ // equal measured rates must differ to be named
	}
	switch {
	case st.Level(t.bitrate, t.attrs) != nil:
		return fmt.Errorf("smooth: stream %s has bit rate %d twice: %w", t.stream, t.bitrate, ErrCorrupt)
	case st.Timeline == nil:
		st.Timeline = tl
	case aligned(st.Timeline, tl):
		st.Timeline = st.Timeline[:min(len(st.Timeline), len(tl))]
	default:
		return &FileError{File: t.media.name, Offset: -1, Err: ErrUnsupported,
			Reason: fmt.Sprintf("the fragments of track %d do not start where those of the other bit rates of stream %s do", t.source.ID, t.stream),
			Remedy: "encode all bit rates with the same key frames"}
	}
	lv := t.codec.QualityLevel(t.bitrate)
	if b.needsAttributes(t) {
		lv.CustomAttributes = t.server.Attrs()
	}
	st.Levels = append(st.Levels, lv)
	if len(lv.CustomAttributes) > 0 {
		st.URL = templateURL(st.Name, true)
	}
	st.MaxWidth, st.MaxHeight = max(st.MaxWidth, t.codec.Width), max(st.MaxHeight, t.codec.Height)
	st.DisplayWidth, st.DisplayHeight = max(st.DisplayWidth, t.codec.DisplayWidth), max(st.DisplayHeight, t.codec.DisplayHeight)
	return nil
}

// needsAttributes reports whether only its custom attributes tell a track from another one of the same name and bit
// rate. Elsewhere they are left out, since few clients can put them into URLs.
func (b *manifestBuilder) needsAttributes(t *fileTrack) bool {
	for _, o := range b.p.tracks {
		if o != t && o.kind == t.kind && o.server.HasBitrate && o.bitrate == t.bitrate && equalFoldASCII(o.server.Name(), t.server.Name()) &&
			o.server.AttrsKey() != t.server.AttrsKey() {
			return true
		}
	}
	return false
}

// maxTail is the number of fragments by which the bit rates of a stream may differ in length; what not all of them have
// is not listed. Encoders round the end of a film differently.
const maxTail = 1

// aligned reports whether two timelines have the same starts as far as both go.
func aligned(a, b Timeline) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > maxTail {
		return false
	}
	for i := range a {
		if a[i].Time != b[i].Time {
			return false
		}
	}
	return true
}

// stream returns the stream of a track with a timeline. Tracks of one name in several languages, which only a trackName
// would tell apart, become streams of their own, since a client chooses the language by stream; so does sound whose
// fragments start elsewhere, such as that of another codec.
func (b *manifestBuilder) stream(t *fileTrack, tl Timeline) *Stream {
	lang := t.language()
	name := streamName(t)
	for n := 1; ; n++ {
		st := b.m.Stream(name)
		if st == nil {
			t.stream = name
			return b.newStream(t, name, lang)
		}
		if st.Type == t.kind && (st.Language == lang || t.kind == Video) && (t.kind != Audio || st.Timeline == nil || aligned(st.Timeline, tl)) {
			t.stream = name
			return st
		}
		name = strings.TrimSuffix(streamName(t)+"_"+safeStreamName(lang), "_")
		if n > 1 || lang == "" {
			name += "_" + strconv.Itoa(n+1)
		}
	}
}

// streamName returns the name of a track's stream as a client manifest has it.
func streamName(t *fileTrack) string {
	if _, ok := t.server.Param("trackName"); !ok && t.kind == Text {
		return string(Text)
	}
	return safeStreamName(t.server.Name())
}

// safeStreamName replaces what cannot stand in the name of a stream, which is part of URLs. See [MS-SSTR] 2.2.2.3.
func safeStreamName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (isWordByte(byte(r)) || r == '-') {
			return r
		}
		return '_'
	}, name)
}

// language returns the language of a track, from the server manifest or the file.
func (t *fileTrack) language() string {
	if l := strings.TrimSpace(t.server.Language); l != "" {
		return l
	}
	if t.kind != Video && t.source.Language != "und" {
		return t.source.Language
	}
	return ""
}

func (b *manifestBuilder) newStream(t *fileTrack, name, lang string) *Stream {
	st := &Stream{Type: t.kind, Name: name, Language: lang, URL: templateURL(name, false),
		Parent: safeStreamName(t.server.Parent()), ManifestOutput: t.server.ManifestOutput()}
	if sub, ok := t.server.Param("Subtype"); ok {
		st.Subtype = sub
	} else if t.kind == Text {
		st.Subtype = "CAPT"
		if st.ManifestOutput || st.Parent != "" {
			st.Subtype = "DATA"
		}
	}
	b.m.Streams = append(b.m.Streams, st)
	return st
}

// templateURL returns the template of fragment URLs. See [MS-SSTR] 2.2.2.4; clients know these spellings best.
func templateURL(name string, attrs bool) string {
	if attrs {
		return "QualityLevels({bitrate},{CustomAttributes})/Fragments(" + name + "={start time})"
	}
	return "QualityLevels({bitrate})/Fragments(" + name + "={start time})"
}

// protect copies the protection headers of the files.
func (b *manifestBuilder) protect() {
	for _, f := range b.p.media {
		for _, p := range f.movie.Protection {
			h := ProtectionHeader{SystemID: formatUUID(p.SystemID), Data: p.Data}
			if !slices.ContainsFunc(b.m.Protection, h.equal) {
				b.m.Protection = append(b.m.Protection, h)
			}
		}
	}
}

func formatUUID(u [16]byte) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// maxEmbedded bounds the data of control streams in a manifest, in bytes.
const maxEmbedded = 4 << 20

// embed puts the samples of control streams into the manifest. See [MS-SSTR] 2.2.2.6.1.
func (b *manifestBuilder) embed() error {
	total := 0
	for _, st := range b.m.Streams {
		if !st.ManifestOutput {
			continue
		}
		st.Embedded = make([][]ChunkData, len(st.Timeline))
		for i, c := range st.Timeline {
			data, err := b.samples(st, c.Time, &total)
			if err != nil {
				return err
			}
			st.Embedded[i] = data
		}
	}
	return nil
}

// samples returns the samples of a control stream at a time, one per level, and adds their sizes to total.
func (b *manifestBuilder) samples(st *Stream, time uint64, total *int) ([]ChunkData, error) {
	var list []ChunkData
	for _, lv := range st.Levels {
		data, err := b.sample(FragmentKey{Stream: st.Name, Bitrate: lv.Bitrate, Attrs: lv.AttrsKey(), Time: time})
		if err != nil {
			return nil, err
		}
		if *total += len(data); *total > maxEmbedded {
			return nil, fmt.Errorf("smooth: %s: control stream %s has more than %d bytes: %w", b.name, st.Name, maxEmbedded, ErrTooLarge)
		}
		list = append(list, ChunkData{Level: lv.Index, Data: data})
	}
	return list, nil
}

func (b *manifestBuilder) sample(k FragmentKey) ([]byte, error) {
	f, err := b.p.Fragment(b.ctx, k)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.PayloadSize() > maxEmbedded {
		return nil, fmt.Errorf("smooth: %s: sample of %d bytes in control stream %s: %w", b.name, f.PayloadSize(), k.Stream, ErrTooLarge)
	}
	data, err := f.Load(b.ctx, nil)
	return bytes.Clone(data), err
}
