package validate

import "time"

// dateRange checks EXT-X-DATERANGE. See RFC 8216 section 4.3.2.7.
func (r *mediaReader) dateRange(it *item) {
	if it.attrs == nil {
		return
	}
	if r.rangeTag == 0 {
		r.rangeTag = it.line
	}
	p, l := r.place(it.line), it.attrs
	before, again := r.ranges[l.get("ID")]
	if !l.has("START-DATE") && !again {
		r.rec.Add("HL122", p, "there is no START-DATE")
		return
	}
	start, ok := r.rangeDate(it, "START-DATE")
	end, okEnd := r.rangeDate(it, "END-DATE")
	duration, hasDuration := seconds(l.get("DURATION"))
	if !ok || !okEnd {
		return
	}
	switch {
	case l.has("START-DATE") && l.has("END-DATE") && end.Before(start):
		r.rec.Add("HL122", p, "END-DATE %s is before START-DATE %s", l.get("END-DATE"), l.get("START-DATE"))
	case l.has("START-DATE") && l.has("END-DATE") && hasDuration && !end.Equal(start.Add(duration)):
		r.rec.Add("HL122", p, "END-DATE is not START-DATE and DURATION %s", duration)
	}
	if l.has("END-ON-NEXT") && (!l.has("CLASS") || l.has("DURATION") || l.has("END-DATE")) {
		r.rec.Add("HL123", p, "END-ON-NEXT needs CLASS, and neither DURATION nor END-DATE")
	}
	for _, a := range l {
		if b, ok := before.lookup(a.name); ok && b.value != a.value {
			r.rec.Add("HL125", p, "%s is %q here and was %q", a.name, a.value, b.value)
			return
		}
	}
	if len(r.ranges) < maxLines/10 {
		r.ranges[l.get("ID")] = append(before, l...)
	}
}

// rangeDate reads a date of EXT-X-DATERANGE. A missing one is fine.
func (r *mediaReader) rangeDate(it *item, name string) (time.Time, bool) {
	a, has := it.attrs.lookup(name)
	if !has {
		return time.Time{}, true
	}
	t, _, ok := parseDate(a.value)
	if !ok && a.quoted {
		r.rec.Add("HL122", r.place(it.line), "%s is %q", name, a.value)
	}
	return t, ok
}
