package livesmooth

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// handlerType returns the type of stream for a handler, or "".
func handlerType(h fmp4.Type) smooth.StreamType {
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

// newPushTrack describes a track: by the manifest, and by the movie where that is silent or st is nil.
func newPushTrack(t *fmp4.Track, st *smooth.ServerTrack) (pushTrack, error) {
	server, kind := st, handlerType(t.Handler)
	if st == nil {
		st = &smooth.ServerTrack{Type: kind}
	}
	kind = st.Type
	if kind == "" {
		return pushTrack{}, fmt.Errorf("handler %v: %w", t.Handler, ErrMedia)
	}
	codec, err := pushCodec(t, st)
	if err != nil {
		return pushTrack{}, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	if codec.Type != kind {
		return pushTrack{}, fmt.Errorf("sample entry is that of %s, not %s: %w", codec.Type, kind, ErrMedia)
	}
	track := pushTrack{id: t.ID, server: server, codec: codec, timescale: uint64(t.Timescale), defaults: t.Defaults}
	track.bitrate, track.stated = pushBitrate(t, st)
	track.sparse = kind == smooth.Text && (st.Parent() != "" || track.stated || t.Handler == fmp4.HandlerMeta)
	track.stream = streamOf(t, st, codec)
	if scheme, _ := st.Param("Scheme"); scheme != "" {
		track.custom = []smooth.Attribute{{Name: "Scheme", Value: scheme}}
	}
	track.edit(t.Shift)
	return track, nil
}

// edit applies what an edit list adds to media times, in ticks of the track. Of video a small part that it takes away, which
// makes up for the reordering of frames, goes to the composition offsets: so the decode times of renditions that reorder
// differently stay aligned.
func (t *pushTrack) edit(shift int64) {
	if shift < 0 && t.stream.Type == smooth.Video && uint64(-shift) <= t.timescale {
		t.delay = shift
		return
	}
	t.shift = shift
}

// streamOf returns the stream of a track, as a client manifest has it.
func streamOf(t *fmp4.Track, st *smooth.ServerTrack, c *smooth.Codec) smooth.Stream {
	s := smooth.Stream{
		Type: st.Type, Name: pushStreamName(st), Language: pushLanguage(t, st), Timescale: scale,
		Parent: nameOf(st.Parent()), ManifestOutput: st.ManifestOutput(),
		MaxWidth: c.Width, MaxHeight: c.Height, DisplayWidth: c.DisplayWidth, DisplayHeight: c.DisplayHeight,
	}
	if sub, ok := st.Param("Subtype"); ok {
		s.Subtype = sub
	} else if st.Type == smooth.Text {
		s.Subtype = "CAPT"
		if s.ManifestOutput || s.Parent != "" || t.Handler == fmp4.HandlerMeta {
			s.Subtype = "DATA"
		}
	}
	return s
}

// pushStreamName returns the name of a track's stream: trackName, or else the type, with nothing in it that a URL cannot
// have. See [MS-SSTR] 2.2.2.3.
func pushStreamName(st *smooth.ServerTrack) string {
	if name, _ := st.Param("trackName"); name != "" {
		return nameOf(name)
	}
	return string(st.Type)
}

// pushLanguage returns the language that the manifest states, or else, except for video, the media.
func pushLanguage(t *fmp4.Track, st *smooth.ServerTrack) string {
	if st.Language != "" {
		return st.Language
	}
	if st.Type != smooth.Video && t.Language != "und" {
		return t.Language
	}
	return ""
}

// pushBitrate returns the bit rate that the manifest states, or else the sample entry. stated tells that it is zero on
// purpose, as that of sparse tracks.
func pushBitrate(t *fmp4.Track, st *smooth.ServerTrack) (rate uint64, stated bool) {
	if st.HasBitrate && st.Bitrate > 0 {
		return st.Bitrate, false
	}
	rate = fmp4.EntryBitrate(t.Entry, entryKind(st.Type))
	return rate, rate == 0 && st.HasBitrate && st.Type == smooth.Text
}

func entryKind(t smooth.StreamType) fmp4.Kind {
	switch t {
	case smooth.Video:
		return fmp4.VisualEntry
	case smooth.Audio:
		return fmp4.AudioEntry
	}
	return fmp4.PlainEntry
}

// pushCodec returns the configuration of a track from its sample entry, completed or replaced by what the manifest says.
func pushCodec(t *fmp4.Track, st *smooth.ServerTrack) (*smooth.Codec, error) {
	level := st.QualityLevel()
	stated, statedErr := (*smooth.Codec)(nil), error(nil)
	if level.FourCC != "" || level.AudioTag != 0 || len(level.CodecPrivateData) > 0 {
		stream := smooth.Stream{Type: st.Type, MaxWidth: level.MaxWidth, MaxHeight: level.MaxHeight}
		stated, statedErr = smooth.CodecFromQualityLevel(st.Type, &stream, level)
	}
	c, err := smooth.CodecFromSampleEntry(t.Entry)
	switch {
	case err == nil && completes(stated, c):
		stated.SampleEntry, stated.Encrypted, stated.KID = c.SampleEntry, c.Encrypted, c.KID
		return stated, nil
	case err == nil:
		return c, nil
	case stated != nil:
		return stated, nil
	case errors.Is(statedErr, smooth.ErrUnsupported) || st.Type == smooth.Text && t.Handler == fmp4.HandlerMeta:
		// What no client here knows, some other may: the manifest goes to it as it is.
		return &smooth.Codec{Type: st.Type, FourCC: level.FourCC, PrivateData: level.CodecPrivateData, Width: level.MaxWidth,
			Height: level.MaxHeight, SamplingRate: level.SamplingRate, Channels: level.Channels,
			BitsPerSample: level.BitsPerSample, PacketSize: level.PacketSize, AudioTag: level.AudioTag}, nil
	}
	return nil, err
}

// completes reports whether the manifest tells more of a configuration than the sample entry: parameter sets that the entry
// leaves to the samples, or HE-AAC that only the samples signal.
func completes(stated, entry *smooth.Codec) bool {
	if stated == nil || stated.Type != entry.Type {
		return false
	}
	return len(entry.PrivateData) == 0 && len(stated.PrivateData) > 0 && stated.NALULengthSize == entry.NALULengthSize ||
		entry.FourCC == "AACL" && stated.FourCC == "AACH"
}

func formatUUID(u [16]byte) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
