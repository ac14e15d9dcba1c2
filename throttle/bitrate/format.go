package bitrate

import (
	"bytes"
	"errors"
	"io"
	"math"
	"time"
)

// Defaults of the schema of mediaFormats, for fields that are zero.
const (
	// DefaultRangeEnd is the end of a search window, in bytes.
	DefaultRangeEnd = 4096
	// DefaultUnit is the unit of a [RateRule], in bit/s.
	DefaultUnit = 1
)

// Format says how to find the rate of files of an extension without a parser: by patterns of bytes in the file, beside
// which values lie. It is an entry of mediaFormats in the configuration of IIS Bit Rate Throttling; the fields are
// called there as their comments say. A format is not changed by its use, which may be concurrent.
//
// Rules see bytes, not structure: a pattern counts where it first occurs, even in the middle of something else. That
// is why a [Detector] asks its parsers first.
//
// A format without rules is valid and finds nothing.
type Format struct {
	// Extension is that of the files, with its dot, in any case (fileExtension).
	Extension string
	// Rates are rules for rates, which are added: those of video and audio, for example (bitrateRules). Those whose
	// pattern is not in the file count as zero unless all of them do.
	Rates []RateRule
	// Duration is how to find the duration, of which the rate is derived. It is ignored where there are Rates, even if
	// they find nothing (durationRule).
	Duration *DurationRule
}

// RateRule finds a rate.
type RateRule struct {
	Search
	// Unit is that of the value, in bit/s: 1000 if the value is in kbit/s. Zero means [DefaultUnit] (unitBitPerSecond).
	Unit uint32
}

// DurationRule finds a duration, as a number of units of time.
type DurationRule struct {
	// Duration finds the number of units (duration).
	Duration Search
	// ConstScale is the number of units per second. Zero means that it is in the file, where Timescale finds it
	// (timeScale/constScale).
	ConstScale uint32
	// Timescale finds the number of units per second. It is not looked at if ConstScale is set (timeScale).
	Timescale Search
}

// Search finds a value in a file, at a distance from a pattern.
type Search struct {
	// Pattern are the bytes to look for; see [ParsePattern] (searchPattern, searchPatternType).
	Pattern []byte
	// From is where in the file to look (searchFrom).
	From From
	// RangeStart and RangeEnd are the window in which the whole pattern lies, in bytes from the beginning of the file;
	// for a search from the end the distances from it. The end is exclusive, and zero means [DefaultRangeEnd]
	// (searchRangeStart, searchRangeEnd).
	RangeStart, RangeEnd int64
	// DataOffset is the distance of the value from the end of the pattern, in bytes. The value may lie outside the
	// window (dataOffset).
	DataOffset uint32
	// Type is that of the value; the zero value is none and refused (dataType).
	Type DataType
	// Order is that of the bytes of the value (endianness).
	Order Endianness
}

// Detect finds the rate of a file of size bytes by the rules alone, as IIS did. [Info.Container] is [Declared] and
// [Info.Method] "rule". It reads at most [MaxRead] bytes. Errors are those of the function [Detect], and [*FormatError]
// if the format is not valid.
func (f *Format) Detect(r io.ReaderAt, size int64) (Info, error) {
	s := newSource(r, max(size, 0))
	info, err := f.detect(s)
	if err != nil {
		return Info{}, err
	}
	return s.checked(info)
}

func (f *Format) detect(s *source) (Info, error) {
	if err := f.Validate(); err != nil {
		return Info{}, err
	}
	s.container = Declared
	info := Info{Container: Declared, Method: "rule"}
	var err error
	switch {
	case len(f.Rates) > 0:
		info.Average, err = f.sum(s)
	case f.Duration != nil:
		info.Average, info.Duration, err = f.Duration.rate(s)
	default:
		err = s.fail(0, ErrUnknownRate, "the format %s has no rules", f.Extension)
	}
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// sum returns the sum of the rates, in bit/s.
func (f *Format) sum(s *source) (int64, error) {
	sum, found := 0.0, false
	var missing error
	for i := range f.Rates {
		rule := &f.Rates[i]
		v, err := rule.value(s)
		if errors.Is(err, ErrUnknownRate) {
			missing = err
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += v * float64(rule.unit())
		found = true
	}
	if !found {
		return 0, missing
	}
	return int64(min(sum, math.MaxInt32)), nil // above MaxRate only where the sum is
}

func (r *RateRule) unit() uint32 {
	if r.Unit == 0 {
		return DefaultUnit
	}
	return r.Unit
}

// rate returns the rate of the file, in bit/s, and its duration.
func (r *DurationRule) rate(s *source) (int64, time.Duration, error) {
	units, err := r.Duration.value(s)
	if err != nil {
		return 0, 0, err
	}
	scale := float64(r.ConstScale)
	if r.ConstScale == 0 {
		if scale, err = r.Timescale.value(s); err != nil {
			return 0, 0, err
		}
	}
	if units == 0 || scale == 0 {
		return 0, 0, s.fail(0, ErrUnknownRate, "the duration is %g units of which %g are a second", units, scale)
	}
	seconds := units / scale // zero and infinite if out of range, as the rate then is
	d := time.Duration(math.MaxInt64)
	if ns := seconds * float64(time.Second); ns < math.MaxInt64 {
		d = time.Duration(ns)
	}
	return int64(min(float64(s.size)*8/seconds, math.MaxInt32)), d, nil
}

// end returns the end of the window.
func (q *Search) end() int64 {
	if q.RangeEnd == 0 {
		return DefaultRangeEnd
	}
	return q.RangeEnd
}

// value returns the value beside the pattern. The error is one of ErrUnknownRate if the pattern is not in the file.
func (q *Search) value(s *source) (float64, error) {
	switch q.From {
	case End:
		return q.valueIn(s, s.size-q.end(), s.size-q.RangeStart)
	case Both:
		v, err := q.valueIn(s, q.RangeStart, q.end())
		if errors.Is(err, ErrUnknownRate) || errors.Is(err, ErrCorrupt) {
			return q.valueIn(s, s.size-q.end(), s.size-q.RangeStart)
		}
		return v, err
	default:
		return q.valueIn(s, q.RangeStart, q.end())
	}
}

// valueIn returns the value beside the first pattern in the part of the file from start to end.
func (q *Search) valueIn(s *source, start, end int64) (float64, error) {
	start, end = max(start, 0), min(end, s.size)
	if start >= end {
		return 0, s.fail(min(start, s.size), ErrUnknownRate, "the search window is outside the file of %d bytes", s.size)
	}
	window, err := s.at(start, int(end-start)) // bounded by Validate
	if err != nil {
		return 0, err
	}
	i := bytes.Index(window, q.Pattern)
	if i < 0 {
		return 0, s.fail(start, ErrUnknownRate, "no pattern %q in %d bytes", q.Pattern, len(window))
	}
	off := start + int64(i+len(q.Pattern)) // the end of the pattern, not above the size
	if int64(q.DataOffset)+int64(q.Type.size()) > s.size-off {
		return 0, s.fail(off, ErrCorrupt, "the value is %d bytes behind its pattern, the file ends after %d", q.DataOffset, s.size-off)
	}
	off += int64(q.DataOffset)
	b, err := s.at(off, q.Type.size())
	if err != nil {
		return 0, err
	}
	v := q.Type.decode(b, q.Order)
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0, s.fail(off, ErrCorrupt, "the value beside %q is %g", q.Pattern, v)
	}
	return v, nil
}
