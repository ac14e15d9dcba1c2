package archive

import (
	"time"

	"github.com/smoothkit/smoothkit/smooth"
)

// unionPeriod is a period of a union.
type unionPeriod struct {
	smooth.Period // without tracks
	codecs        map[smooth.FragmentKey]*smooth.Codec
}

// addPeriods adds the periods of a part: its first one goes on with the last one before it where nothing but tracks has been
// added.
func (u *union) addPeriods(snap *smooth.Snapshot) {
	start, found := uint64(0), false
	for _, st := range snap.Manifest.Streams {
		if len(st.Timeline) > 0 && st.Parent == "" && (!found || st.Timeline.Start() < start) {
			start, found = st.Timeline.Start(), true
		}
	}
	for i, p := range snap.Periods {
		next := unionPeriod{Period: p, codecs: make(map[smooth.FragmentKey]*smooth.Codec)}
		next.Tracks = nil
		for _, t := range p.Tracks {
			next.codecs[smooth.FragmentKey{Stream: t.Stream, Attrs: t.Attrs, Bitrate: t.Bitrate}] = t.Codec
		}
		n := len(u.periods)
		if n == 0 {
			u.periods = append(u.periods, next)
			continue
		}
		last := &u.periods[n-1]
		if i == 0 && (!found || last.goesOn(&next)) {
			for k, c := range next.codecs {
				if last.codecs[k] == nil {
					last.codecs[k] = c
				}
			}
			continue
		}
		if i == 0 {
			next.Start = max(start, last.Start)
			next.Wall = last.wallAt(next.Start)
		}
		next.Discontinuity = max(next.Discontinuity, last.Discontinuity+1)
		u.periods = append(u.periods, next)
	}
}

// goesOn reports whether decoders need not know where the next period begins.
func (p *unionPeriod) goesOn(next *unionPeriod) bool {
	if next.Discontinuity > p.Discontinuity {
		return false
	}
	for k, c := range next.codecs {
		if o, known := p.codecs[k]; known && !o.Equal(c) {
			return false
		}
	}
	return true
}

// wallAt returns the wall-clock time at a tick of the manifest, which is not before the period; zero if it is not known.
func (p *unionPeriod) wallAt(tick uint64) time.Time {
	if p.Wall.IsZero() || tick < p.Start {
		return p.Wall
	}
	d := tick - p.Start
	return p.Wall.Add(time.Duration(d/scale)*time.Second + time.Duration(d%scale)*(time.Second/scale))
}

// show returns the periods with all tracks of the manifest in each: a track that a part lacks has the configuration that it had
// before, or else the one that it will have.
func (u *union) show(m *smooth.Manifest, clock smooth.Period) []smooth.Period {
	periods := make([]smooth.Period, 0, max(len(u.periods), 1))
	for _, p := range u.periods {
		periods = append(periods, p.Period)
	}
	if len(periods) == 0 {
		periods = append(periods, smooth.Period{})
	}
	if !clock.Wall.IsZero() {
		first := unionPeriod{Period: clock}
		for i := range periods {
			periods[i].Wall = first.wallAt(periods[i].Start)
		}
		periods[0].Start, periods[0].Wall = clock.Start, clock.Wall
	}
	for _, st := range m.Streams {
		for _, l := range st.Levels {
			k := smooth.FragmentKey{Stream: st.Name, Attrs: l.AttrsKey(), Bitrate: l.Bitrate}
			codec := u.firstCodec(k)
			for i := range periods {
				if i < len(u.periods) {
					if c, ok := u.periods[i].codecs[k]; ok && c != nil {
						codec = c
					}
				}
				periods[i].Tracks = append(periods[i].Tracks, smooth.Track{Stream: k.Stream, Attrs: k.Attrs, Bitrate: k.Bitrate, Codec: codec})
			}
		}
	}
	return periods
}

// firstCodec returns the first configuration of a track.
func (u *union) firstCodec(k smooth.FragmentKey) *smooth.Codec {
	for i := range u.periods {
		if c := u.periods[i].codecs[k]; c != nil {
			return c
		}
	}
	return nil
}
