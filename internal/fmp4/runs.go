package fmp4

// RunSample is one sample of a fragment. Times are in ticks of the track.
type RunSample struct {
	Duration, Size, Flags uint32
	// CTS is the composition time offset.
	CTS int32
}

// Samples returns an iterator over the samples of t. track holds the defaults of trex.
func (t *Traf) Samples(track Defaults) Runs {
	d := track
	if t.has.Duration != 0 {
		d.Duration = t.defaults.Duration
	}
	if t.has.Size != 0 {
		d.Size = t.defaults.Size
	}
	if t.has.Flags != 0 {
		d.Flags = t.defaults.Flags
	}
	r := Runs{runs: t.runs, defaults: d}
	if d.Flags == 0 && len(t.sdtp) > 0 && isIndependent(t.sdtp[0]) {
		r.sdtp = t.sdtp
	}
	return r
}

// isIndependent reports whether an entry of sdtp says sample_depends_on = 2. See ISO/IEC 14496-12 8.6.4.
func isIndependent(entry byte) bool { return entry>>4&3 == 2 }

// Runs iterates over the samples of a traf box.
type Runs struct {
	runs     []run
	defaults Defaults
	i        uint32 // in runs[0]
	// sdtp is what is left of the sdtp box where only that tells sync samples from others. IIS and its encoders state
	// the flags of the first sample of video, and zero for the rest, which by the letter are sync samples too.
	sdtp []byte
}

// Next returns the next sample, or false after the last.
func (r *Runs) Next() (RunSample, bool) {
	for len(r.runs) > 0 && r.i >= r.runs[0].count {
		r.runs, r.i = r.runs[1:], 0
	}
	if len(r.runs) == 0 {
		return RunSample{}, false
	}
	u := &r.runs[0]
	s := RunSample{Duration: r.defaults.Duration, Size: r.defaults.Size, Flags: r.defaults.Flags}
	e := u.entries[int(r.i)*u.entrySize:]
	if u.flags&trunDuration != 0 {
		s.Duration, e = u32(e), e[4:]
	}
	if u.flags&trunSize != 0 {
		s.Size, e = u32(e), e[4:]
	}
	switch {
	case u.flags&trunFlags != 0:
		s.Flags, e = u32(e), e[4:]
	case u.flags&trunFirstFlags != 0 && r.i == 0:
		s.Flags = u.firstFlags
	case len(r.sdtp) > 0 && !isIndependent(r.sdtp[0]):
		s.Flags = FlagsDelta
	}
	r.sdtp = r.sdtp[min(1, len(r.sdtp)):]
	if u.flags&trunCTS != 0 {
		s.CTS = int32(u32(e))
	}
	r.i++
	return s, true
}

// Runs returns the number of trun boxes.
func (t *Traf) Runs() int { return len(t.runs) }

// Span is a run of bytes.
type Span struct{ Offset, Size int64 }

// Spans appends to dst where the sample data of traf i is in the file, in order, neighbours joined. defaults returns
// the trex defaults of a track. See ISO/IEC 14496-12 8.8.7 and 8.8.8 for the rules of data offsets.
func (m *Moof) Spans(dst []Span, i int, defaults func(track uint32) Defaults) ([]Span, error) {
	// Only a traf without a base of its own continues where the one before it ends.
	from := i
	for from > 0 && m.Trafs[from].follows(m.Size) {
		from--
	}
	base := m.Offset
	for ; from < i; from++ {
		var err error
		if _, base, err = m.Trafs[from].spans(nil, m, base, defaults, false); err != nil {
			return dst, err
		}
	}
	dst, _, err := m.Trafs[i].spans(dst, m, base, defaults, true)
	return dst, err
}

// follows reports whether the base of the data is the end of the data of the traf before: neither flag is set, and
// the data offset is not one from the start of the moof box, which many writers mean all the same.
func (t *Traf) follows(moof int) bool {
	if t.flags&(tfhdBaseDataOffset|tfhdBaseIsMoof) != 0 {
		return false
	}
	return len(t.runs) == 0 || t.runs[0].flags&trunDataOffset == 0 || int64(t.runs[0].dataOffset) < int64(moof)
}

// spans appends the spans if want is set, and returns the end of the data. before is the end of the data of the traf
// before, or the start of the moof box.
func (t *Traf) spans(dst []Span, m *Moof, before int64, defaults func(uint32) Defaults, want bool) ([]Span, int64, error) {
	base := m.Offset
	switch {
	case t.flags&tfhdBaseDataOffset != 0:
		base = int64(min(t.base, maxTicks))
	case t.follows(m.Size):
		base = before
	}
	first, next := len(dst), base
	track := defaults(t.TrackID)
	for j := range t.runs {
		r := &t.runs[j]
		if r.flags&trunDataOffset != 0 {
			next = base + int64(r.dataOffset)
		}
		one := Traf{runs: t.runs[j : j+1], defaults: t.defaults, has: t.has}
		_, size := one.Totals(track) // at most MaxRunSamples of 32 bits
		if next < 0 || next > maxTicks {
			return dst, next, corrupt("moof/traf/trun", r.offset, "data of %d bytes at %d", size, next)
		}
		if n := len(dst); want && n > first && dst[n-1].Offset+dst[n-1].Size == next {
			dst[n-1].Size += int64(size)
		} else if want && size > 0 {
			dst = append(dst, Span{next, int64(size)})
		}
		next += int64(size)
	}
	return dst, next, nil
}

// SampleCount returns the number of samples.
func (t *Traf) SampleCount() int { return t.samples }

// FirstFlags returns the flags of the first sample, given the defaults of trex.
func (t *Traf) FirstFlags(track Defaults) uint32 {
	r := t.Samples(track)
	s, _ := r.Next()
	return s.Flags
}

// Totals returns the sum of durations and of sizes of all samples, given the defaults of trex.
func (t *Traf) Totals(track Defaults) (duration, size uint64) {
	all := t.Samples(track)
	for i := range all.runs {
		d, n := all.runs[i].totals(all.defaults)
		duration += d
		size += n
	}
	return duration, size
}

// totals sums a run up. It looks at the fields it needs only, since opening a file without an index sums up all of them.
func (u *run) totals(defaults Defaults) (duration, size uint64) {
	duration, size = uint64(u.count)*uint64(defaults.Duration), uint64(u.count)*uint64(defaults.Size)
	e := u.entries
	switch u.flags & (trunDuration | trunSize) {
	case trunDuration | trunSize:
		for duration, size = 0, 0; len(e) >= max(u.entrySize, 8); e = e[u.entrySize:] {
			duration += uint64(u32(e))
			size += uint64(u32(e[4:]))
		}
	case trunDuration:
		for duration = 0; len(e) >= max(u.entrySize, 4); e = e[u.entrySize:] {
			duration += uint64(u32(e))
		}
	case trunSize:
		for size = 0; len(e) >= max(u.entrySize, 4); e = e[u.entrySize:] {
			size += uint64(u32(e))
		}
	}
	return duration, size
}

// RunsOf returns an iterator over the samples of a moof box with one traf that needs no defaults of trex.
func RunsOf(moof []byte) (Runs, error) {
	m, err := ParseMoof(moof, 0)
	if err != nil {
		return Runs{}, err
	}
	if len(m.Trafs) != 1 {
		return Runs{}, unsupported("moof", 0, "%d traf boxes", len(m.Trafs))
	}
	return m.Trafs[0].Samples(Defaults{}), nil
}
