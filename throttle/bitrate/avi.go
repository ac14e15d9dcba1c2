package bitrate

import (
	"encoding/binary"
	"math"
)

// Sizes of AVI, in bytes, and the number of RIFF chunks that are looked at.
const (
	aviChunkSize = 8
	aviListSize  = 12
	aviMaxRIFFs  = 16
)

// aviHeader is what hdrl says about durations.
type aviHeader struct {
	frames, usPerFrame uint32 // avih: of the first RIFF chunk
	total              uint32 // dmlh: frames of all RIFF chunks
	video, audio       aviStream
}

// aviStream is a strh: length units of scale/rate seconds.
type aviStream struct{ length, scale, rate uint32 }

// seconds returns the duration, or zero if it is unknown.
func (a aviStream) seconds() float64 {
	if a.rate == 0 {
		return 0
	}
	return float64(a.length) * float64(a.scale) / float64(a.rate)
}

// aviDuration is a duration in units of 1/scale second.
type aviDuration struct {
	units, scale uint64
	method       string
}

func (a aviDuration) seconds() float64 { return float64(a.units) / float64(a.scale) }

func isAVI(s *source) bool { return s.has(0, "RIFF") && s.has(8, "AVI ") }

// parseAVI divides the size of all RIFF chunks by the duration. The maximum bytes per second of avih are not looked
// at, as writers leave them empty or fill in a guess. See "AVI RIFF File Reference" and the OpenDML AVI extensions 1.02.
func parseAVI(s *source) (Info, error) {
	h, err := s.aviHeader()
	if err != nil {
		return Info{}, err
	}
	riffs, end := s.aviRIFFs()
	d := h.duration(riffs > 1)
	if d.units == 0 {
		return Info{}, s.fail(aviListSize, ErrUnknownRate, "%d frames of %d us, and no stream has a length", h.frames, h.usPerFrame)
	}
	rate, duration := average(s.whole(uint64(end)), d.units, d.scale)
	return Info{Average: rate, Duration: duration, Method: d.method}, nil
}

// duration chooses among the durations of the header. That of the video stream is the most exact, as its rate is a
// fraction and avih rounds to microseconds. In a file of several RIFF chunks avih counts the frames of the first, and
// some writers leave strh so too, so dmlh decides. Where strh and avih disagree the audio tells which is right.
func (h *aviHeader) duration(several bool) aviDuration {
	strh := aviDuration{uint64(h.video.length) * uint64(h.video.scale), uint64(h.video.rate), "strh"}
	avih := aviDuration{uint64(h.frames) * uint64(h.usPerFrame), 1e6, "avih"}
	audio := aviDuration{uint64(h.audio.length) * uint64(h.audio.scale), uint64(h.audio.rate), "strh"}
	switch {
	case h.total > max(h.video.length, h.frames) && (several || h.frames == 0):
		if h.video.scale > 0 && h.video.rate > 0 {
			return aviDuration{uint64(h.total) * uint64(h.video.scale), uint64(h.video.rate), "dmlh"}
		}
		return aviDuration{uint64(h.total) * uint64(h.usPerFrame), 1e6, "dmlh"}
	case strh.units > 0 && strh.scale > 0:
		if !several && avih.units > 0 && audio.units > 0 && audio.scale > 0 && avih.nearer(audio, strh) {
			return avih
		}
		return strh
	case audio.units > 0 && audio.scale > 0 && (several || avih.units == 0 || h.video == aviStream{}):
		return audio
	}
	return avih
}

// nearer reports whether a and other differ by more than a tenth, and a is the one nearer to the judge.
func (a aviDuration) nearer(judge, other aviDuration) bool {
	x, y, j := a.seconds(), other.seconds(), judge.seconds()
	return math.Abs(x-y) > 0.1*max(x, y) && math.Abs(x-j) < math.Abs(y-j)
}

// aviRIFFs returns the number of RIFF chunks and where they end, which is beyond the end of a file that was cut short.
func (s *source) aviRIFFs() (n int, end int64) {
	for n < aviMaxRIFFs && s.has(end, "RIFF") {
		b, err := s.at(end, aviChunkSize)
		if err != nil {
			return n, end
		}
		n++
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		if size == math.MaxUint32 { // written to a pipe
			return n, s.size
		}
		end += aviChunkSize + size + size&1
	}
	return n, end
}

// aviHeader finds the hdrl list and walks it.
func (s *source) aviHeader() (aviHeader, error) {
	var h aviHeader
	for off := int64(aviListSize); ; {
		c, err := s.riffChunk(off, s.size)
		if err != nil {
			return h, err
		}
		switch c.list {
		case "hdrl":
			return h, s.aviList(&h, c)
		case "movi":
			return h, s.fail(off, ErrCorrupt, "the movi list comes before a hdrl list")
		}
		off = c.next
	}
}

// riffChunk is the header of a chunk. The body of a LIST begins after its type.
type riffChunk struct {
	id, list   string // list is the type of a LIST
	body, size int64  // offset and size of the body
	next       int64  // offset of the next chunk
}

// riffChunk reads the header of a chunk:
//
//	id:32 size:32 [type:32 if id == LIST]
//
// with the size little-endian. A chunk that is longer than the file says is taken as far as it goes.
func (s *source) riffChunk(off, limit int64) (riffChunk, error) {
	b, err := s.at(off, aviChunkSize)
	if err != nil {
		return riffChunk{}, err
	}
	size := int64(binary.LittleEndian.Uint32(b[4:]))
	c := riffChunk{id: string(b[:4]), body: off + aviChunkSize, size: size}
	c.next = c.body + size + size&1
	if c.id == "LIST" {
		if size < 4 {
			return c, s.fail(off, ErrCorrupt, "a list of %d bytes", size)
		}
		if b, err = s.at(c.body, 4); err != nil {
			return c, err
		}
		c.list, c.body, c.size = string(b), c.body+4, size-4
	}
	c.size = min(c.size, limit-c.body)
	return c, nil
}

// aviList reads the chunks of hdrl and of the lists in it. Chunks that cannot be read end the list: what precedes
// them is enough, or the duration is unknown.
func (s *source) aviList(h *aviHeader, list riffChunk) error {
	found := false
	end := list.body + list.size
	for off := list.body; off+aviChunkSize <= end; {
		c, err := s.riffChunk(off, end)
		if err == nil {
			err = s.aviChunk(h, list.list, c)
		}
		if err != nil {
			if found {
				return nil
			}
			return err
		}
		found = true
		off = c.next
	}
	if !found {
		return s.fail(list.body, ErrCorrupt, "list %q is empty", list.list)
	}
	return nil
}

// aviChunk reads one chunk of hdrl, or of strl or odml in it. The first video and the first audio stream count.
func (s *source) aviChunk(h *aviHeader, parent string, c riffChunk) error {
	switch {
	case parent == "hdrl" && (c.list == "strl" || c.list == "odml"):
		return s.aviList(h, c)
	case c.id == "avih":
		b, err := s.aviBody(c, 20)
		if err != nil {
			return err
		}
		h.usPerFrame, h.frames = binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[16:])
	case c.id == "dmlh":
		b, err := s.aviBody(c, 4)
		if err != nil {
			return err
		}
		h.total = binary.LittleEndian.Uint32(b)
	case c.id == "strh":
		b, err := s.aviBody(c, 36)
		if err != nil {
			return err
		}
		st := aviStream{binary.LittleEndian.Uint32(b[32:]), binary.LittleEndian.Uint32(b[20:]), binary.LittleEndian.Uint32(b[24:])}
		if kind := string(b[:4]); (kind == "vids" || kind == "iavs") && h.video.seconds() == 0 {
			h.video = st
		} else if kind == "auds" && h.audio.seconds() == 0 {
			h.audio = st
		}
	}
	return nil
}

// aviBody returns the first n bytes of a chunk.
func (s *source) aviBody(c riffChunk, n int) ([]byte, error) {
	if c.size < int64(n) {
		return nil, s.fail(c.body, ErrCorrupt, "chunk %q of %d bytes, %d needed", c.id, c.size, n)
	}
	return s.at(c.body, n)
}
