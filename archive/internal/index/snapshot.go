package index

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"

	"github.com/smoothkit/smoothkit/smooth"
)

// Live returns the presentation as one that goes on, until End: all that there is is listed, without look-ahead, and the window
// begins with the first fragment. A chunk is there when all tracks have it, or have fallen behind by some. The next one
// supersedes the snapshot. It costs the same however much has been recorded.
func (x *Index) Live() *smooth.Snapshot {
	x.mu.RLock()
	s := x.live
	x.mu.RUnlock()
	if s != nil {
		return s
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.live == nil {
		x.live = x.snapshot(!x.ended, "live")
	}
	return x.live
}

// OnDemand returns the presentation as if it were complete, with the chunks of Live. The next one supersedes the snapshot.
func (x *Index) OnDemand() *smooth.Snapshot {
	x.mu.RLock()
	s := x.onDemand
	x.mu.RUnlock()
	if s != nil {
		return s
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.onDemand == nil {
		x.onDemand = x.snapshot(false, "demand")
	}
	return x.onDemand
}

// snapshot makes a snapshot. mu must be held.
func (x *Index) snapshot(live bool, kind string) *smooth.Snapshot {
	m := &smooth.Manifest{MajorVersion: 2, Timescale: Scale, IsLive: live, Protection: x.protection}
	if kind == "live" { // as a publishing point has it
		m.NoRepeats, m.CanSeek, m.CanPause = true, live, live
	} else {
		m.MinorVersion = 2
	}
	var edges []smooth.Edge
	period := x.period
	h := sha256.New()
	text(h, kind)
	number(h, boolNumber(live), x.period.Start, x.period.Discontinuity)
	for _, s := range x.streams {
		line := s.line[:s.listed:s.listed]
		if len(line) == 0 && !(live && s.sparse()) { // a player could not begin with an empty one
			continue
		}
		shown := s.shown
		shown.Timeline, shown.DeclaredChunks = line, uint32(len(line))
		shown.Levels = s.shownLevels(live)
		period.Tracks = s.addTracks(period.Tracks, live)
		m.Streams = append(m.Streams, &shown)
		edges = append(edges, smooth.Edge{Listed: line.End(), Complete: line.End(), Received: line})
		s.fingerprint(h, line)
	}
	if !live {
		m.Duration = Duration(m)
	}
	gaps := x.listGaps()
	number(h, uint64(len(gaps)), x.gapSum)
	for _, p := range x.protection {
		text(h, p.SystemID)
		text(h, string(p.Data))
	}
	snap := smooth.NewSnapshot(m, x.prefix+hex.EncodeToString(h.Sum(nil)[:12]))
	snap.Periods = []smooth.Period{period}
	snap.Gaps = gaps
	if live {
		snap.Edges = edges
	}
	return snap
}

// Duration returns how long a presentation that has ended is, in ticks of 100 ns from its first fragment on: its times may count
// from 1970. A client takes it for the sum of the fragments, see [MS-SSTR] 3.1.5.1.
func Duration(m *smooth.Manifest) uint64 {
	start, end, found := uint64(0), uint64(0), false
	for _, s := range m.Streams {
		if len(s.Timeline) == 0 || s.Parent != "" {
			continue
		}
		if first := s.Timeline.Start(); !found || first < start {
			start, found = first, true
		}
		end = max(end, s.Timeline.End())
	}
	return end - start
}

// shows reports whether a track is in the manifest: once nothing more comes, only one that has fragments.
func (t *track) shows(live bool) bool { return live || t.column.count > 0 }

// shownLevels returns the quality levels of the manifest.
func (s *stream) shownLevels(live bool) []*smooth.QualityLevel {
	var list []*smooth.QualityLevel
	for i, t := range s.tracks {
		if !t.shows(live) {
			continue
		}
		level := s.levels[i]
		if int(level.Index) != len(list) {
			c := *level
			c.Index = uint32(len(list))
			level = &c
		}
		list = append(list, level)
	}
	return list
}

// addTracks appends the tracks of a period.
func (s *stream) addTracks(dst []smooth.Track, live bool) []smooth.Track {
	for _, t := range s.tracks {
		if t.shows(live) {
			dst = append(dst, smooth.Track{Stream: s.name, Attrs: t.Key.Attrs, Bitrate: t.Key.Bitrate, Codec: t.Codec})
		}
	}
	return dst
}

// fingerprint writes what the content of a stream depends on.
func (s *stream) fingerprint(h hash.Hash, line smooth.Timeline) {
	text(h, s.name)
	number(h, uint64(len(line)), line.Start(), line.End(), s.sum)
	for _, t := range s.tracks {
		text(h, t.Key.Attrs)
		number(h, t.Key.Bitrate, t.sum)
		if t.Codec != nil {
			h.Write(t.Codec.PrivateData)
		}
	}
}

func number(h hash.Hash, list ...uint64) {
	var b [8]byte
	for _, n := range list {
		binary.BigEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
}

func text(h hash.Hash, s string) {
	number(h, uint64(len(s)))
	h.Write([]byte(s))
}

func boolNumber(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
