package livesmooth

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/textenc"
	"github.com/smoothkit/smoothkit/smooth"
)

// Limits of a stream manifest.
const (
	maxRequired   = 1024
	maxSMILTokens = 1 << 16
)

// parseStreamManifest returns the IDs of the input streams that a stream manifest box lists, in order and without
// repetitions: src of the ref elements, "Streams(id)" or "Events(e)/Streams(id)". See [MS-SSTR] 2.2.7.2.
func parseStreamManifest(raw []byte, offset int64) ([]string, error) {
	text, err := fmp4.ParseFullUUID(raw, offset)
	if err != nil {
		return nil, pushError(err)
	}
	if text, err = textenc.UTF8(text); err != nil {
		return nil, fmt.Errorf("livesmooth: push: stream manifest at byte %d: %w: %w", offset, ErrMalformed, err)
	}
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8, whatever it says
	var ids []string
	for range maxSMILTokens {
		tok, err := dec.RawToken()
		if err == io.EOF {
			return ids, nil
		}
		if err != nil {
			return nil, fmt.Errorf("livesmooth: push: stream manifest at byte %d: %w: %w", offset, ErrMalformed, err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok || !equalFold(el.Name.Local, "ref") {
			continue
		}
		id, ok := requiredID(el)
		switch {
		case !ok:
			return nil, fmt.Errorf("livesmooth: push: stream manifest at byte %d: ref %d names no stream: %w", offset, len(ids)+1, ErrMalformed)
		case len(ids) == maxRequired:
			return nil, fmt.Errorf("livesmooth: push: stream manifest at byte %d: more than %d streams: %w", offset, maxRequired, ErrLimit)
		case !slices.Contains(ids, id):
			ids = append(ids, id)
		}
	}
	return nil, fmt.Errorf("livesmooth: push: stream manifest at byte %d: more than %d tokens: %w", offset, maxSMILTokens, ErrLimit)
}

// requiredID returns the ID in the src of a ref element.
func requiredID(el xml.StartElement) (string, bool) {
	for _, a := range el.Attr {
		if equalFold(a.Name.Local, "src") {
			src := strings.Trim(a.Value, " \t\r\n/")
			id, ok := keyword(src[strings.LastIndexByte(src, '/')+1:], "Streams")
			return id, ok && validPushID(id)
		}
	}
	return "", false
}

// describe returns the live server manifest of the tracks: what the encoder sent, with the timescale that the fragments have
// now, or one made of the movie.
func (h *pushHeader) describe() *smooth.ServerManifest {
	m := &smooth.ServerManifest{Meta: []smooth.Attribute{{Name: "creator", Value: "smoothkit"}}}
	if h.described {
		m.Meta, m.Extra = h.manifest.Meta, h.manifest.Extra
	}
	for i := range h.tracks {
		m.Tracks = append(m.Tracks, h.tracks[i].describe())
	}
	return m
}

// describe returns the element of a live server manifest for a track. Read back it gives the track again.
func (t *pushTrack) describe() smooth.ServerTrack {
	st := smooth.ServerTrack{Type: t.stream.Type, Language: t.stream.Language}
	if t.server != nil {
		st = *t.server
		st.Params = slices.Clone(st.Params)
	} else {
		t.describeNew(&st)
	}
	if st.Bitrate = t.bitrate; t.bitrate > 0 || t.stated {
		st.HasBitrate = true
		setParam(&st, "systemBitrate", strconv.FormatUint(t.bitrate, 10))
	}
	setParam(&st, "trackID", strconv.FormatUint(uint64(t.id), 10))
	setParam(&st, "timescale", strconv.Itoa(scale))
	return st
}

// setParam gives a parameter a value, in its place or as the last one.
func setParam(st *smooth.ServerTrack, name, value string) {
	for i := range st.Params {
		if equalFold(st.Params[i].Name, name) {
			st.Params[i].Value = value
			return
		}
	}
	st.Params = append(st.Params, smooth.Param{Name: name, Value: value, ValueType: "data"})
}

// describeNew adds the parameters of a track that the encoder has not described.
func (t *pushTrack) describeNew(st *smooth.ServerTrack) {
	add := func(name, value string) {
		if value != "" && value != "0" {
			setParam(st, name, value)
		}
	}
	number := func(name string, v uint32) { add(name, strconv.FormatUint(uint64(v), 10)) }
	l := t.codec.QualityLevel(t.bitrate)
	add("trackName", t.stream.Name)
	add("systemLanguage", t.stream.Language)
	add("Subtype", t.stream.Subtype)
	add("FourCC", l.FourCC)
	add("CodecPrivateData", strings.ToUpper(hex.EncodeToString(l.CodecPrivateData)))
	number("MaxWidth", l.MaxWidth)
	number("MaxHeight", l.MaxHeight)
	number("DisplayWidth", t.stream.DisplayWidth)
	number("DisplayHeight", t.stream.DisplayHeight)
	number("AudioTag", l.AudioTag)
	number("Channels", l.Channels)
	number("SamplingRate", l.SamplingRate)
	number("BitsPerSample", l.BitsPerSample)
	number("PacketSize", l.PacketSize)
	number("NALUnitLengthField", l.NALUnitLengthField)
}
