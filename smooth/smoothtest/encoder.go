package smoothtest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/smoothkit/smoothkit/smooth"
)

// Encoder makes the body of a live push, the POST of [MS-SSTR] 2.2.7, in the form that ffmpeg sends with
// "-f ismv -movflags isml+frag_keyframe": ftyp, a uuid box with the live server manifest, moov, then moof and mdat of
// each fragment with tfxd and without tfrf, and at the end an empty mfra.
//
// Time is an argument: [Encoder.Until] returns what an encoder has sent at a moment of the event. Fragments are those
// of a [Presentation] of the same configuration, byte for byte but for the sequence numbers, so a test can compare
// what a server publishes. An Encoder is for one goroutine.
type Encoder struct {
	config   Config
	tracks   []encoderTrack
	sequence uint32
}

// encoderTrack is a quality level that is pushed.
type encoderTrack struct {
	stream  *Stream
	level   *Level
	id      uint32
	next    int    // position of the next fragment
	elapsed uint64 // ticks of the fragments before it
}

// NewEncoder returns an encoder of all levels of all streams, in the order of c; track IDs count from 1. Streams last
// for ever: after the given durations the last one repeats, or two seconds if there is none. Start may be the two's
// complement of a negative time, as ffmpeg sends for AAC. Live, Lookahead and Wall have no meaning here.
//
// It panics if c has no streams or a stream has no levels.
func NewEncoder(c Config) *Encoder {
	if len(c.Streams) == 0 {
		panic("smoothtest: no streams")
	}
	c.Streams = slices.Clone(c.Streams)
	e := &Encoder{config: c}
	for i := range c.Streams {
		s := &c.Streams[i]
		s.setDefaults()
		for n := range s.Levels {
			e.tracks = append(e.tracks, encoderTrack{stream: s, level: &s.Levels[n], id: uint32(len(e.tracks) + 1)})
		}
	}
	return e
}

// Header returns the boxes before the first fragment, which an encoder repeats in each POST. It panics if a level's
// private data is not valid for its codec.
func (e *Encoder) Header() []byte {
	b := box(nil, "ftyp", func(b []byte) []byte { return append(b, "isml\x00\x00\x02\x00piff"...) })
	b = box(b, "uuid", func(b []byte) []byte {
		return append(append(append(b, serverManifestUUID[:]...), 0, 0, 0, 0), e.serverManifest()...)
	})
	return append(b, e.moov()...)
}

// serverManifestUUID is the type of the live server manifest box of [MS-SSTR] 2.2.7.
var serverManifestUUID = [16]byte{0xA5, 0xD4, 0x0B, 0x30, 0xE8, 0x14, 0x11, 0xDD, 0xBA, 0x2F, 0x08, 0x00, 0x20, 0x0C, 0x9A, 0x66}

// serverManifest returns the live server manifest.
func (e *Encoder) serverManifest() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<smil xmlns=\"http://www.w3.org/2001/SMIL20/Language\">\n" +
		"<head>\n<meta name=\"creator\" content=\"smoothtest\" />\n</head>\n<body>\n<switch>\n")
	for i := range e.tracks {
		e.tracks[i].appendSMIL(&b)
	}
	b.WriteString("</switch>\n</body>\n</smil>\n")
	return b.String()
}

func (t *encoderTrack) appendSMIL(b *strings.Builder) {
	s, l := t.stream, t.level
	element := string(s.Type)
	if s.Type == smooth.Text {
		element = "textstream"
	}
	fmt.Fprintf(b, "<%s systemBitrate=\"%d\">\n", element, l.Bitrate)
	param := func(name, value string) {
		if value != "" && value != "0" {
			fmt.Fprintf(b, "<param name=%q value=%q valuetype=\"data\"/>\n", name, value)
		}
	}
	number := func(name string, v uint32) { param(name, strconv.FormatUint(uint64(v), 10)) }
	fmt.Fprintf(b, "<param name=\"systemBitrate\" value=\"%d\" valuetype=\"data\"/>\n", l.Bitrate)
	number("trackID", t.id)
	param("systemLanguage", s.Language)
	if s.Name != string(s.Type) {
		param("trackName", s.Name)
	}
	param("Subtype", s.Subtype)
	param("parentTrackName", s.Parent)
	if s.Timescale != smooth.DefaultTimescale {
		number("timescale", uint32(s.Timescale))
	}
	param("CodecPrivateData", fmt.Sprintf("%X", l.PrivateData))
	param("FourCC", l.FourCC)
	c := s.codec(l)
	number("MaxWidth", c.Width)
	number("MaxHeight", c.Height)
	number("DisplayWidth", c.DisplayWidth)
	number("DisplayHeight", c.DisplayHeight)
	number("AudioTag", c.AudioTag)
	number("Channels", c.Channels)
	number("SamplingRate", c.SamplingRate)
	number("BitsPerSample", c.BitsPerSample)
	number("PacketSize", c.PacketSize)
	for _, a := range l.Attributes {
		param(a.Name, a.Value)
	}
	fmt.Fprintf(b, "</%s>\n", element)
}

// moov returns the movie box.
func (e *Encoder) moov() []byte {
	init := mp4.CreateEmptyInit()
	init.Moov.Mvhd.Timescale = smooth.DefaultTimescale
	for i := range e.tracks {
		t := &e.tracks[i]
		media := map[smooth.StreamType]string{smooth.Video: "video", smooth.Audio: "audio", smooth.Text: "subtitle"}[t.stream.Type]
		language := t.stream.Language
		if len(language) != 3 {
			language = "und"
		}
		trak := init.AddEmptyTrack(uint32(t.stream.Timescale), media, language)
		trak.Tkhd.Width, trak.Tkhd.Height = mp4.Fixed32(t.level.Width<<16), mp4.Fixed32(t.level.Height<<16)
		entry, err := t.stream.codec(t.level).BuildSampleEntry()
		if err != nil {
			panic(fmt.Sprintf("smoothtest: stream %s: %v", t.stream.Name, err))
		}
		sampleEntry, err := mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(entry))
		if err != nil {
			panic(fmt.Sprintf("smoothtest: stream %s: %v", t.stream.Name, err))
		}
		trak.Mdia.Minf.Stbl.Stsd.AddChild(sampleEntry)
	}
	var b bytes.Buffer
	if err := init.Moov.Encode(&b); err != nil {
		panic(fmt.Sprintf("smoothtest: moov: %v", err))
	}
	return b.Bytes()
}

// Until returns the fragments that are complete at a time of the event, counted from the earliest start of a stream,
// and were not returned before. They are ordered by their end and then by track.
func (e *Encoder) Until(t time.Duration) []byte {
	var b []byte
	for {
		next := e.earliest()
		if end := next.end(); end-e.origin() > t {
			return b
		}
		b = e.appendNext(b, next)
	}
}

// Trailer returns the empty mfra box that ends a stream. See [MS-SSTR] 2.2.7.
func (e *Encoder) Trailer() []byte { return box(nil, "mfra", func(b []byte) []byte { return b }) }

// Body returns a whole push that ends at time t: header, fragments and trailer, made as they are read.
func (e *Encoder) Body(t time.Duration) io.Reader {
	return &encoderBody{e: e, until: t, buf: e.Header()}
}

// earliest returns the track whose next fragment ends first.
func (e *Encoder) earliest() *encoderTrack {
	best := &e.tracks[0]
	for i := range e.tracks {
		if t := &e.tracks[i]; t.end() < best.end() {
			best = t
		}
	}
	return best
}

// origin returns the earliest start of a stream.
func (e *Encoder) origin() time.Duration {
	best := nanoseconds(e.tracks[0].stream.Start, e.tracks[0].stream.Timescale)
	for i := range e.tracks {
		best = min(best, nanoseconds(e.tracks[i].stream.Start, e.tracks[i].stream.Timescale))
	}
	return best
}

// nanoseconds converts ticks, of which the upper half counts as negative.
func nanoseconds(ticks, timescale uint64) time.Duration {
	if int64(ticks) < 0 {
		return -time.Duration(smooth.Rescale(-ticks, timescale, uint64(time.Second)))
	}
	return time.Duration(smooth.Rescale(ticks, timescale, uint64(time.Second)))
}

// duration returns the duration of the next fragment in ticks.
func (t *encoderTrack) duration() uint64 {
	d := t.stream.Durations
	if len(d) == 0 {
		return 2 * t.stream.Timescale
	}
	return d[min(t.next, len(d)-1)]
}

// end returns the end of the next fragment on the timeline.
func (t *encoderTrack) end() time.Duration {
	return nanoseconds(t.stream.Start+t.elapsed+t.duration(), t.stream.Timescale)
}

// appendNext appends the next fragment of a track.
func (e *Encoder) appendNext(b []byte, t *encoderTrack) []byte {
	e.sequence++
	c := smooth.Chunk{Time: t.stream.Start + t.elapsed, Duration: t.duration()}
	b, _ = appendFragment(b, fragmentBox{
		sequence: e.sequence, trackID: t.id, time: c.Time, duration: c.Duration,
		samples: sampleSizes(t.stream.Type, e.config.payload(t.stream, t.level, c)), video: t.stream.Type == smooth.Video,
		ttml: t.level.FourCC == "TTML", seed: t.stream.Name, bitrate: t.level.Bitrate,
	})
	t.elapsed += c.Duration
	t.next++
	return b
}

// encoderBody is a push as a reader.
type encoderBody struct {
	e     *Encoder
	until time.Duration
	buf   []byte
	done  bool
}

// Read implements io.Reader.
func (r *encoderBody) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.done {
			return 0, io.EOF
		}
		next := r.e.earliest()
		if next.end()-r.e.origin() > r.until {
			r.buf, r.done = r.e.Trailer(), true
			break
		}
		r.buf = r.e.appendNext(nil, next)
	}
	n := copy(p, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}
