package asset

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/archive/internal/index"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// complete adds what a source does not find out by itself: custom attributes that nothing has to tell apart, and configurations that
// only the server manifest has.
func (b *builder) complete(m *smooth.Manifest) {
	for _, st := range m.Streams {
		for _, lv := range st.Levels {
			if t := b.trackOf(st, lv); t != nil {
				completeLevel(st, lv, t)
			}
		}
	}
	m.Duration = index.Duration(m)
}

// trackOf returns the server track of a level, or nil.
func (b *builder) trackOf(st *smooth.Stream, lv *smooth.QualityLevel) *smooth.ServerTrack {
	for i := range b.server.Tracks {
		t := &b.server.Tracks[i]
		if t.Type == st.Type && t.Name() == st.Name && t.Bitrate == lv.Bitrate && (len(lv.CustomAttributes) == 0 || t.AttrsKey() == lv.AttrsKey()) {
			return t
		}
	}
	return nil
}

func completeLevel(st *smooth.Stream, lv *smooth.QualityLevel, t *smooth.ServerTrack) {
	stated := t.QualityLevel()
	if lv.FourCC == "AACL" && stated.FourCC == "AACH" { // which only the samples of some encoders tell
		lv.FourCC = stated.FourCC
	}
	lv.FourCC = cmp.Or(lv.FourCC, stated.FourCC)
	if len(lv.CodecPrivateData) == 0 {
		lv.CodecPrivateData = stated.CodecPrivateData
	}
	if names, ok := t.Param(paramAttributes); ok {
		lv.CustomAttributes = attributes(t, names)
		if slices.ContainsFunc(lv.CustomAttributes, func(a smooth.Attribute) bool { return serverName(a.Name) == a.Name }) {
			st.URL = "QualityLevels({bitrate},{CustomAttributes})/Fragments(" + st.Name + "={start time})"
		}
	}
}

// attributes returns the custom attributes that a list names.
func attributes(t *smooth.ServerTrack, names string) []smooth.Attribute {
	var list []smooth.Attribute
	for name := range strings.SplitSeq(names, ",") {
		if v, ok := t.Param(serverName(name)); ok {
			list = append(list, smooth.Attribute{Name: name, Value: v})
		}
	}
	return list
}

// measure gives chunks the durations of their fragments where a source can only tell when the next one starts: where that is later
// than usual, and in sparse streams everywhere.
func (p *presentation) measure(ctx context.Context) {
	for _, st := range p.manifest.Streams {
		if len(st.Levels) == 0 || len(st.Timeline) == 0 {
			continue
		}
		usual := usualDuration(st.Timeline)
		sparse := st.Parent != "" || st.ManifestOutput
		k := smooth.FragmentKey{Stream: st.Name, Bitrate: st.Levels[0].Bitrate, Attrs: st.Levels[0].AttrsKey()}
		for i := range st.Timeline {
			c := &st.Timeline[i]
			if !sparse && c.Duration <= usual+usual/2 {
				continue
			}
			k.Time = c.Time
			if d := p.stated(ctx, k); d > 0 && d < c.Duration {
				c.Duration = d
			}
		}
	}
	p.manifest.Duration = index.Duration(p.manifest)
}

// usualDuration returns the median of the durations.
func usualDuration(tl smooth.Timeline) uint64 {
	list := make([]uint64, len(tl))
	for i, c := range tl {
		list[i] = c.Duration
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// stated returns the duration that a fragment states, in ticks of its track, or zero.
func (p *presentation) stated(ctx context.Context, k smooth.FragmentKey) uint64 {
	f, err := p.Fragment(ctx, k)
	if err != nil {
		return 0
	}
	defer f.Close()
	head, err := f.Header(smooth.Smooth)
	if err != nil {
		return 0
	}
	n := fmp4.MoofSize(head)
	if n < 0 {
		return 0
	}
	h, err := fmp4.Inspect(head[:n], 0, fmp4.Defaults{})
	if err != nil || !h.HasTfxd {
		return 0
	}
	return h.Duration
}
