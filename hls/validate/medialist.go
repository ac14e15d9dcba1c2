package validate

import (
	"time"
)

// whole checks what concerns the playlist as a whole.
func (r *mediaReader) whole() {
	top := r.place(0)
	m := r.m
	if m.target == 0 {
		r.rec.Add("HL101", top, "there is no EXT-X-TARGETDURATION with a positive number")
	}
	for _, s := range m.segments {
		if m.target > 0 && s.duration.Round(time.Second) > m.target {
			r.rec.Add("HL102", r.place(s.line), "EXTINF is %s, rounded %d, and EXT-X-TARGETDURATION %d",
				s.duration, s.duration.Round(time.Second)/time.Second, m.target/time.Second)
		}
	}
	if m.kind == "VOD" && !m.ended {
		r.rec.Add("HL111", top, "the type is VOD, and there is no EXT-X-ENDLIST")
	}
	if r.rangeTag > 0 && !m.dated {
		r.rec.Add("HL124", r.place(r.rangeTag), "there is no EXT-X-PROGRAM-DATE-TIME")
	}
	if m.ended && len(m.segments) == 0 {
		r.rec.Add("HL132", top, "the playlist has ended and lists no segment")
	}
	if m.target > 10*time.Second {
		r.rec.Add("HL145", top, "EXT-X-TARGETDURATION is %d", m.target/time.Second)
	}
	r.startOffset()
	r.repeats()
	r.dates()
	r.window()
	r.profile()
}

// startOffset checks EXT-X-START.
func (r *mediaReader) startOffset() {
	text := r.p.start.get("TIME-OFFSET")
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	d, ok := seconds(text)
	if total := r.m.duration(); ok && d > total && len(r.m.segments) > 0 {
		r.rec.Add("HP118", r.place(0), "TIME-OFFSET is %s, and the playlist lasts %s",
			r.p.start.get("TIME-OFFSET"), total)
	}
}

// repeats looks for the same segment twice in a row, and for a discontinuity that the sequence cannot count.
func (r *mediaReader) repeats() {
	breaks := 0
	for i, s := range r.m.segments {
		if s.discontinuity {
			breaks++
		}
		if i == 0 || s.gap {
			continue
		}
		p := r.m.segments[i-1]
		same := s.uri == p.uri && (s.part == nil && p.part == nil || s.part != nil && p.part != nil && *s.part == *p.part)
		if same {
			r.rec.Add("HL133", r.place(s.line), "the segment before is the same")
		}
	}
	if breaks > 0 && r.m.sequence > 0 && !r.m.hasDiscSeq && r.m.live() {
		r.rec.Add("HL134", r.place(0), "there are %d discontinuities and no EXT-X-DISCONTINUITY-SEQUENCE", breaks)
	}
}

// dates compares the dates of segments to their durations.
func (r *mediaReader) dates() {
	var last *segment
	for _, s := range r.m.segments {
		if s.discontinuity {
			last = nil
		}
		if s.date.IsZero() {
			continue
		}
		if last != nil {
			want := last.date.Add(s.start - last.start)
			if off := s.date.Sub(want); off.Abs() > 500*time.Millisecond {
				r.rec.Add("HL121", r.place(s.line), "the date is %s away from the one of line %d plus the segments between",
					off, last.line)
			}
		}
		last = s
	}
}

// window checks a live playlist.
func (r *mediaReader) window() {
	m := r.m
	if !m.live() || m.target == 0 || len(m.segments) == 0 {
		return
	}
	if !m.dated && !m.lowLatencySkips(r.p.items) {
		r.rec.Add("HL129", r.place(0), "there is no EXT-X-PROGRAM-DATE-TIME")
	}
	if m.kind != "" || m.sequence == 0 || m.lowLatencySkips(r.p.items) {
		return
	}
	if d := m.duration(); d < 3*m.target {
		r.rec.Add("HL126", r.place(0), "segments were removed, and %s are left, less than three times %d s",
			d, m.target/time.Second)
	} else if len(m.segments) < 6 {
		r.rec.Add("HL128", r.place(0), "there are %d segments", len(m.segments))
	}
}

// lowLatencySkips reports a delta update, which shows a part of the playlist only.
func (m *media) lowLatencySkips(items []item) bool {
	for _, it := range items {
		if it.tag == "EXT-X-SKIP" {
			return true
		}
	}
	return false
}

// lowLatency checks the tags of Low-Latency HLS among one another. See draft-pantos-hls-rfc8216bis sections 4.4.3.7,
// 4.4.3.8, 4.4.4.9 and 4.4.5.2.
func (r *mediaReader) lowLatency() {
	for _, it := range r.p.items {
		if it.tag == "EXT-X-PART-INF" {
			r.partInf, _ = seconds(it.attrs.get("PART-TARGET"))
		}
	}
	for _, it := range r.p.items {
		if it.attrs == nil {
			continue
		}
		switch it.tag {
		case "EXT-X-PART":
			r.part(it)
		case "EXT-X-SERVER-CONTROL":
			r.control(it)
		case "EXT-X-SKIP":
			r.need(9, it.line, "there is EXT-X-SKIP")
			if it.attrs.has("RECENTLY-REMOVED-DATERANGES") {
				r.need(10, it.line, "there is RECENTLY-REMOVED-DATERANGES")
			}
		}
	}
}

func (r *mediaReader) part(it item) {
	d, ok := seconds(it.attrs.get("DURATION"))
	switch {
	case r.partInf == 0:
		r.rec.Add("HL141", r.place(it.line), "there is EXT-X-PART without EXT-X-PART-INF")
	case ok && d > r.partInf:
		r.rec.Add("HL142", r.place(it.line), "DURATION is %s, PART-TARGET %s", d, r.partInf)
	}
}

func (r *mediaReader) control(it item) {
	r.allowed = max(r.allowed, 10)
	for _, limit := range []struct {
		name  string
		times time.Duration
		unit  time.Duration
	}{{"HOLD-BACK", 3, r.m.target}, {"PART-HOLD-BACK", 2, r.partInf}, {"CAN-SKIP-UNTIL", 6, r.m.target}} {
		if d, ok := seconds(it.attrs.get(limit.name)); ok && d < limit.times*limit.unit {
			r.rec.Add("HL143", r.place(it.line), "%s is %s, less than %d times %s",
				limit.name, d, limit.times, limit.unit)
		}
	}
	if r.partInf > 0 && !it.attrs.has("PART-HOLD-BACK") {
		r.rec.Add("HL143", r.place(it.line), "there is EXT-X-PART-INF and no PART-HOLD-BACK")
	}
}
