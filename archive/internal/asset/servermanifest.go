// Package asset makes the manifests of presentations that were recorded, repaired or edited: the .ism, which maps quality levels to
// tracks in files, and the .ismc, which lists the fragments. Both are made for what reads them, [smooth.FileSource].
package asset

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// Track is a track of a presentation in files.
type Track struct {
	// File is the name of the media file beside the .ism.
	File string
	// Input gives track_ID, key, stream, level and, if it is known, codec.
	Input smooth.InputTrack
	// Known is the description that an encoder's live server manifest gives of the track, or nil. What it says beyond Input
	// is kept. It is not changed.
	Known *smooth.ServerTrack
}

// Names of params that only this package writes.
const (
	// paramAttributes names the custom attributes that are part of the key, separated by commas.
	paramAttributes = "customAttributes"
	// bareNamespace stands before a custom attribute without a namespace, such as Scheme: in a server manifest only a name
	// with an underscore is that of a custom attribute.
	bareNamespace = "smoothkit_"
)

// ServerManifest returns the .ism of tracks whose client manifest has a name. A [smooth.FileSource] finds each track in it under its key,
// custom attributes included once the client manifest is there. The tracks stand in the order of a live manifest: video, audio, text,
// each by name, and from the highest bit rate to the lowest. Leave out tracks without fragments: nothing could be shown of them, and a
// file whose mfra box lacks a track that is asked for is scanned from end to end.
//
// The error wraps [smooth.ErrUnsupported] if two tracks have the same key, or one has no stream, or a string cannot be written in XML.
func ServerManifest(clientManifest string, tracks []Track) ([]byte, error) {
	list := slices.Clone(tracks)
	for i := range list {
		if list[i].Input.Stream == nil {
			return nil, fmt.Errorf("asset: track %d of %s has no stream: %w", list[i].Input.ID, list[i].File, smooth.ErrUnsupported)
		}
	}
	slices.SortStableFunc(list, compareTracks)
	m := &smooth.ServerManifest{Meta: []smooth.Attribute{
		{Name: "clientManifestRelativePath", Value: escapeSrc(clientManifest)}, {Name: "creator", Value: "smoothkit"},
	}}
	seen := make(map[smooth.FragmentKey]*Track)
	for i := range list {
		t := &list[i]
		k := t.Input.Key
		k.Time = 0
		if other := seen[k]; other != nil {
			return nil, fmt.Errorf("asset: %s at %d bits/s is track %d of %s and track %d of %s: %w",
				k.Stream, k.Bitrate, other.Input.ID, other.File, t.Input.ID, t.File, smooth.ErrUnsupported)
		}
		seen[k] = t
		m.Tracks = append(m.Tracks, t.describe())
	}
	out, err := m.AppendXML(nil)
	if err != nil {
		return nil, fmt.Errorf("asset: %w", err)
	}
	return out, nil
}

func compareTracks(a, b Track) int {
	x, y := &a.Input, &b.Input
	return cmp.Or(cmp.Compare(rank(x.Stream.Type), rank(y.Stream.Type)), strings.Compare(x.Key.Stream, y.Key.Stream),
		cmp.Compare(y.Key.Bitrate, x.Key.Bitrate), strings.Compare(x.Key.Attrs, y.Key.Attrs))
}

func rank(t smooth.StreamType) int {
	return slices.Index([]smooth.StreamType{smooth.Video, smooth.Audio, smooth.Text}, t)
}

// MediaName returns the name of the media file of an input stream: .ismv with a picture, .isma with sound, .ismt with text only, as
// IIS chose it.
func MediaName(base string, tracks []smooth.InputTrack) string {
	best := rank(smooth.Text)
	for i := range tracks {
		if s := tracks[i].Stream; s != nil && rank(s.Type) >= 0 {
			best = min(best, rank(s.Type))
		}
	}
	return base + []string{".ismv", ".isma", ".ismt"}[best]
}

// describe returns the element of the track. Params that decide what is found come first, so that they are never cut off.
func (t *Track) describe() smooth.ServerTrack {
	in := &t.Input
	out := smooth.ServerTrack{Type: in.Stream.Type, Src: escapeSrc(t.File), Bitrate: in.Key.Bitrate, HasBitrate: true, Language: in.Stream.Language}
	p := params{known: t.Known}
	if t.Known != nil {
		out.Extra = t.Known.Extra
		out.Language = cmp.Or(out.Language, t.Known.Language)
	}
	p.set("trackID", strconv.FormatUint(uint64(in.ID), 10))
	p.set("trackName", in.Key.Stream)
	p.setIf("parentTrackName", in.Stream.Parent)
	if in.Stream.ManifestOutput {
		p.set("manifestOutput", "true")
	}
	p.setIf("Subtype", in.Stream.Subtype)
	p.attributes(in.Level)
	p.set("timescale", strconv.Itoa(smooth.DefaultTimescale))
	p.informative(in)
	p.rest()
	out.Params = p.list
	return out
}

// params collects the params of a track.
type params struct {
	known *smooth.ServerTrack
	list  []smooth.Param
}

func (p *params) has(name string) bool {
	return slices.ContainsFunc(p.list, func(q smooth.Param) bool { return strings.EqualFold(q.Name, name) })
}

// set adds a param that is not there yet.
func (p *params) set(name, value string) {
	if !p.has(name) && len(p.list) < smooth.MaxManifestAttributes {
		p.list = append(p.list, smooth.Param{Name: name, Value: value, ValueType: "data"})
	}
}

func (p *params) setIf(name, value string) {
	if value != "" && value != "0" {
		p.set(name, value)
	}
}

func (p *params) number(name string, v uint32) { p.setIf(name, strconv.FormatUint(uint64(v), 10)) }

// attributes adds the custom attributes of the key.
func (p *params) attributes(l *smooth.QualityLevel) {
	if l == nil || len(l.CustomAttributes) == 0 {
		return
	}
	var names []string
	for _, a := range l.CustomAttributes {
		p.set(serverName(a.Name), a.Value)
		names = append(names, a.Name)
	}
	p.set(paramAttributes, strings.Join(names, ","))
}

// serverName returns the name of the param that a custom attribute is in a server manifest.
func serverName(attribute string) string {
	if i := strings.IndexByte(attribute, '_'); i > 0 && i < len(attribute)-1 || strings.EqualFold(attribute, "hardwareProfile") {
		return attribute
	}
	return bareNamespace + attribute
}

// informative adds what servers do not need but people and tools like to see, and what a client manifest is made of where the sample
// entry does not tell. The encoder's own words count before ours.
func (p *params) informative(in *smooth.InputTrack) {
	l := in.Level
	if l == nil {
		return
	}
	if p.known != nil {
		for _, name := range []string{"FourCC", "CodecPrivateData", "MaxWidth", "MaxHeight", "DisplayWidth", "DisplayHeight",
			"AudioTag", "Channels", "SamplingRate", "BitsPerSample", "PacketSize", "NALUnitLengthField"} {
			if v, ok := p.known.Param(name); ok {
				p.setIf(name, v)
			}
		}
	}
	p.set("systemBitrate", strconv.FormatUint(in.Key.Bitrate, 10))
	p.setIf("systemLanguage", in.Stream.Language)
	p.setIf("FourCC", l.FourCC)
	p.setIf("CodecPrivateData", strings.ToUpper(hex.EncodeToString(l.CodecPrivateData)))
	p.number("MaxWidth", l.MaxWidth)
	p.number("MaxHeight", l.MaxHeight)
	if in.Stream.Type == smooth.Video {
		p.number("DisplayWidth", in.Stream.DisplayWidth)
		p.number("DisplayHeight", in.Stream.DisplayHeight)
	}
	p.number("AudioTag", l.AudioTag)
	p.number("Channels", l.Channels)
	p.number("SamplingRate", l.SamplingRate)
	p.number("BitsPerSample", l.BitsPerSample)
	p.number("PacketSize", l.PacketSize)
	p.number("NALUnitLengthField", l.NALUnitLengthField)
}

// rest keeps what else the encoder has said.
func (p *params) rest() {
	if p.known == nil {
		return
	}
	for _, q := range p.known.Params {
		if !p.has(q.Name) && len(p.list) < smooth.MaxManifestAttributes {
			p.list = append(p.list, q)
		}
	}
}

// escapeSrc writes a file name so that [smooth.ServerTrack.SrcPath] gives it back.
func escapeSrc(name string) string {
	name = strings.NewReplacer("%", "%25", `\`, "%5C").Replace(name)
	trimmed := strings.TrimSpace(name)
	if trimmed == name {
		return name
	}
	i := strings.Index(name, trimmed)
	return escapeSpace(name[:i]) + trimmed + escapeSpace(name[i+len(trimmed):])
}

func escapeSpace(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// ClientManifestName returns the name of the .ismc beside an .ism.
func ClientManifestName(ism string) string {
	return strings.TrimSuffix(path.Base(ism), path.Ext(ism)) + ".ismc"
}
