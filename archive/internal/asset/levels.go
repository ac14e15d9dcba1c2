package asset

import (
	"cmp"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// maxLack is the share of its stream's chunks, one of so many, that a level may lack and still be listed. A player that asks for what
// it lacks is told that it is not there, as at a live event, and takes another level.
const maxLack = 10

// maxTail is the number of chunks at the end that are not listed if not all levels have them: the event ended, or the power was cut,
// between two levels.
const maxTail = 2

// joined returns the manifest of the tracks opened one by one, for levels that do not have the same fragments. It returns nil if no
// track can be shown.
func (b *builder) joined() *smooth.Manifest {
	var m *smooth.Manifest
	parts := make(map[*smooth.Stream][]*smooth.Stream) // the levels of a stream, as streams of their own
	for i := range b.server.Tracks {
		one := *b.server
		one.Tracks = b.server.Tracks[i : i+1]
		p, err := b.open(&one, nil)
		if err != nil {
			continue // left out, as a source would
		}
		p.Close()
		if b.needsAttributes(i) {
			p.manifest.Streams[0].Levels[0].CustomAttributes = one.Tracks[0].Attrs()
		}
		if m == nil {
			m = own(p.manifest)
			m.Streams, m.Duration = nil, 0
		}
		part := p.manifest.Streams[0]
		st := streamOf(m, part)
		parts[st] = append(parts[st], part)
		for _, h := range p.manifest.Protection {
			if !slices.ContainsFunc(m.Protection, func(o smooth.ProtectionHeader) bool { return o.SystemID == h.SystemID }) {
				m.Protection = append(m.Protection, h)
			}
		}
	}
	if m == nil {
		return nil
	}
	slices.SortStableFunc(m.Streams, func(a, b *smooth.Stream) int { return rank(a.Type) - rank(b.Type) })
	for _, st := range m.Streams {
		join(st, parts[st])
	}
	return m
}

// needsAttributes reports whether only its custom attributes tell a track from another one.
func (b *builder) needsAttributes(i int) bool {
	t := &b.server.Tracks[i]
	return slices.ContainsFunc(b.server.Tracks, func(o smooth.ServerTrack) bool {
		return o.Type == t.Type && o.Name() == t.Name() && o.Bitrate == t.Bitrate && o.AttrsKey() != t.AttrsKey()
	})
}

// streamOf returns the stream that a level belongs to, which is made if there is none. Languages are streams of their own.
func streamOf(m *smooth.Manifest, part *smooth.Stream) *smooth.Stream {
	name := part.Name
	for {
		st := m.Stream(name)
		if st == nil {
			fresh := *part
			fresh.URL = strings.Replace(part.URL, "("+part.Name+"=", "("+name+"=", 1)
			fresh.Name, fresh.Levels, fresh.Timeline, fresh.Embedded = name, nil, nil, nil
			m.Streams = append(m.Streams, &fresh)
			return &fresh
		}
		if st.Type == part.Type && (st.Type == smooth.Video || st.Language == part.Language) {
			return st
		}
		name += "_" + strings.Map(wordOnly, part.Language)
	}
}

func wordOnly(r rune) rune {
	if r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
		return r
	}
	return '_'
}

// join makes the levels of a stream from parts with one level each.
func join(st *smooth.Stream, parts []*smooth.Stream) {
	most := 0
	for _, p := range parts {
		most = max(most, len(p.Timeline))
	}
	seen := make(map[smooth.FragmentKey]bool)
	parts = slices.DeleteFunc(parts, func(p *smooth.Stream) bool {
		k := smooth.FragmentKey{Bitrate: p.Levels[0].Bitrate, Attrs: p.Levels[0].AttrsKey()}
		out := (most-len(p.Timeline))*maxLack > most || seen[k]
		seen[k] = true
		return out
	})
	if !overlapping(parts) {
		parts = parts[:1] // as when one encoder's clock is off: the first level is better than nothing
	}
	st.Timeline = union(parts)
	for i, p := range parts {
		lv := p.Levels[0]
		lv.Index = uint32(i)
		st.Levels = append(st.Levels, lv)
		st.MaxWidth, st.MaxHeight = max(st.MaxWidth, p.MaxWidth), max(st.MaxHeight, p.MaxHeight)
		st.DisplayWidth, st.DisplayHeight = max(st.DisplayWidth, p.DisplayWidth), max(st.DisplayHeight, p.DisplayHeight)
	}
	if !st.ManifestOutput {
		return
	}
	st.Embedded = make([][]smooth.ChunkData, len(st.Timeline))
	for i, c := range st.Timeline {
		for level, p := range parts {
			if j, ok := p.Timeline.Find(c.Time); ok && j < len(p.Embedded) && len(p.Embedded[j]) > 0 {
				st.Embedded[i] = append(st.Embedded[i], smooth.ChunkData{Level: uint32(level), Data: p.Embedded[j][0].Data})
			}
		}
	}
}

// overlapping reports whether each part has most of what the first one has.
func overlapping(parts []*smooth.Stream) bool {
	for _, p := range parts[1:] {
		common := 0
		for _, c := range parts[0].Timeline {
			if _, ok := p.Timeline.Find(c.Time); ok {
				common++
			}
		}
		if 2*common <= len(parts[0].Timeline) {
			return false
		}
	}
	return true
}

// union returns the chunks that some part has, without an end that not all have. Where a level lacks the chunk behind one, another still
// knows how long it is.
func union(parts []*smooth.Stream) smooth.Timeline {
	durations, count := make(map[uint64]uint64), make(map[uint64]int)
	for _, p := range parts {
		for _, c := range p.Timeline {
			if d, ok := durations[c.Time]; !ok || c.Duration < d {
				durations[c.Time] = c.Duration
			}
			count[c.Time]++
		}
	}
	line := make(smooth.Timeline, 0, len(durations))
	for t, d := range durations {
		line = append(line, smooth.Chunk{Time: t, Duration: d})
	}
	slices.SortFunc(line, func(a, b smooth.Chunk) int { return cmp.Compare(a.Time, b.Time) })
	for range maxTail {
		if n := len(line); n > 1 && count[line[n-1].Time] < len(parts) {
			line = line[:n-1]
		}
	}
	return line
}
