package bitrate

import (
	"errors"
	"io"
	"math/bits"
	"path"
	"strings"
	"time"
)

// parser reads the rate of one container.
type parser struct {
	container Container
	parse     func(*source) (Info, error)
}

// sniff returns the parser of a file by its first bytes, or none. Signatures of the containers are in the files of
// their parsers.
func sniff(s *source) (parser, bool) {
	for _, c := range []struct {
		is func(*source) bool
		parser
	}{
		{isASF, parser{ASF, parseASF}},
		{isAVI, parser{AVI, parseAVI}},
		{isWAV, parser{WAV, parseWAV}},
		{isAIFF, parser{AIFF, parseAIFF}},
		{isFLV, parser{FLV, parseFLV}},
		{isRealMedia, parser{RealMedia, parseRealMedia}},
		{isMatroska, parser{Matroska, parseMatroska}},
		{isOgg, parser{Ogg, parseOgg}},
		{isFLAC, parser{FLAC, parseFLAC}},
		{isAMR, parser{AMR, parseAMR}},
		{isMP4, parser{MP4, parseMP4}},
		{isMPEGPS, parser{MPEGPS, parseMPEGPS}},
		{isMPEGTS, parser{MPEGTS, parseMPEGTS}},
		{isAC3, parser{AC3, parseAC3}},
		{isADTS, parser{ADTS, parseADTS}},
		{isMPEGAudio, parser{MP3, parseMPEGAudio}},
	} {
		if c.is(s) {
			return c.parser, true
		}
	}
	return parser{}, false
}

// named returns the parser of an extension whose content may begin with anything, or none: elementary streams that
// are found by looking for their frames.
func named(name string) (parser, bool) {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp3", ".mp2", ".mp1", ".mpa":
		return parser{MP3, parseMPEGAudio}, true
	case ".aac", ".adts":
		return parser{ADTS, parseADTS}, true
	case ".ac3", ".eac3", ".ec3":
		return parser{AC3, parseAC3}, true
	case ".ts", ".m2ts", ".mts", ".m2t":
		return parser{MPEGTS, parseMPEGTS}, true
	case ".mp4", ".m4v", ".m4a", ".mov", ".3gp", ".3g2", ".f4v", ".qt":
		return parser{MP4, parseMP4}, true
	}
	return parser{}, false
}

// Detect finds the rate of a file, as the function [Detect] does: by content first, by extension second, by a rule of
// its format last.
func (d *Detector) Detect(r io.ReaderAt, size int64) (Info, error) {
	if size <= 0 {
		return Info{}, &Error{Detail: "the file is empty", Err: ErrUnknownContainer}
	}
	s := newSource(r, size)
	p, ok := sniff(s)
	if !ok {
		p, ok = named(d.Name)
	}
	if !ok {
		return d.declared(s, ErrUnknownContainer)
	}
	s.container = p.container
	info, err := p.parse(s)
	if err == nil {
		info, err = s.checked(info)
	}
	if err != nil {
		return d.declared(s, err)
	}
	return info, nil
}

// checked completes what a parser found, and refuses what cannot be.
func (s *source) checked(info Info) (Info, error) {
	if info.Container == Unknown {
		info.Container = s.container
	}
	if info.Average < MinRate || info.Average > MaxRate {
		return Info{}, s.fail(0, ErrUnknownRate, "%d bit/s by %s is outside %d to %d", info.Average, info.Method, MinRate, int64(MaxRate))
	}
	if info.Peak < 0 || info.Peak > MaxRate {
		info.Peak = 0
	}
	return info, nil
}

// declared asks the rules for the format, and returns the error that led to them if there are none.
func (d *Detector) declared(s *source, err error) (Info, error) {
	for _, f := range d.Formats {
		if !strings.EqualFold(f.Extension, path.Ext(d.Name)) {
			continue
		}
		s.reads = MaxReads // of a file that a parser gave up only what is left of the bytes
		info, ruleErr := f.detect(s)
		if ruleErr == nil {
			info, ruleErr = s.checked(info)
		}
		if ruleErr != nil {
			return Info{}, errors.Join(err, ruleErr)
		}
		return info, nil
	}
	return Info{}, err
}

// average returns the rate of size bytes in units of which there are scale in a second, in bit/s, and the duration.
// Zero units or a zero scale give zeros, which checked refuses: unknown, not infinite.
func average(size int64, units, scale uint64) (rate int64, d time.Duration) {
	if size <= 0 || units == 0 || scale == 0 {
		return 0, 0
	}
	return muldiv(uint64(size)*8, scale, units), time.Duration(muldiv(units, uint64(time.Second), scale))
}

// muldiv returns a*b/c, or the largest int64 where that is larger. c is not zero.
func muldiv(a, b, c uint64) int64 {
	const largest = 1<<63 - 1
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return largest
	}
	q, _ := bits.Div64(hi, lo, c)
	return int64(min(q, largest))
}
