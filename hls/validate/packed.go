package validate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// timestampOwner is that of the ID3 frame with the time of a packed audio segment.
const timestampOwner = "com.apple.streaming.transportStreamTimestamp"

// parseID3 cuts the ID3 tag at the beginning of data into frames.
//
//	"ID3" | version u16 | flags u8 | size 4 times 7 bits | frames: id 4, size 4, flags u16, body
func parseID3(data []byte) (frames []id3Frame, rest []byte, err error) {
	if len(data) < 10 || string(data[:3]) != "ID3" {
		return nil, data, errors.New("there is no ID3 tag")
	}
	size := 10 + synchsafe(data[6:])
	if size > len(data) {
		return nil, data, fmt.Errorf("the ID3 tag has a size of %d, %d bytes are there", size, len(data))
	}
	body, rest := data[10:size], data[size:]
	for len(body) >= 10 && body[0] != 0 {
		n := synchsafe(body[4:])
		if data[3] < 4 {
			n = int(binary.BigEndian.Uint32(body[4:]) & 0x7FFFFFFF)
		}
		if n > len(body)-10 {
			return frames, rest, fmt.Errorf("the frame %q has a size of %d, %d bytes are there", body[:4], n, len(body)-10)
		}
		frames = append(frames, id3Frame{string(body[:4]), body[10 : 10+n]})
		body = body[10+n:]
	}
	return frames, rest, nil
}

// id3Frame is one frame of a tag.
type id3Frame struct {
	id   string
	body []byte
}

func synchsafe(b []byte) int {
	return int(b[0]&0x7F)<<21 | int(b[1]&0x7F)<<14 | int(b[2]&0x7F)<<7 | int(b[3]&0x7F)
}

// packedCodec tells the format of packed audio from its first bytes.
func packedCodec(b []byte) string {
	switch {
	case len(b) < 9:
	case b[0] == 0xFF && b[1]&0xF6 == 0xF0:
		return "aac"
	case b[0] == 0x0B && b[1] == 0x77:
		return "ac3"
	case b[0] == 0xFF && b[1]&0xE0 == 0xE0:
		return "mp3"
	}
	return ""
}

// checkPacked checks a packed audio segment: an ID3 tag with the timestamp, then frames. See RFC 8216 section 3.4.
func checkPacked(rec *recorder, data []byte, want expect, state *tsState) *content {
	p := Place{Document: want.name, Box: "ID3", Offset: want.offset}
	info := &trackInfo{id: 1, audio: true}
	out := &content{format: formatAudio, bytes: len(data), tracks: []*trackInfo{info}}
	frames, rest, err := parseID3(data)
	start, timed := packedTime(frames)
	switch {
	case err != nil && len(rest) == len(data) && packedCodec(data) != "":
		rec.Add("HA101", p, "the segment begins with %x: %v", data[:min(len(data), 4)], err)
	case err != nil:
		rec.Add("HA102", p, "%v", err)
	case !timed:
		rec.Add("HA101", p, "there is no PRIV frame of owner %s with 8 bytes", timestampOwner)
	case start > clockModulus-1:
		rec.Add("HA103", p, "the timestamp is %#x", start)
		start &= clockModulus - 1
	}
	if timed {
		if state.hasClock {
			start = unwrap(start, state.clock)
		}
		state.clock, state.hasClock = start, true
	}
	info.first, info.present = ticks(start), ticks(start)
	packedFrames(rec, rest, want, info, int64(len(data)-len(rest)))
	return out
}

// packedTime finds the timestamp.
func packedTime(frames []id3Frame) (int64, bool) {
	for _, f := range frames {
		owner, value, ok := bytes.Cut(f.body, []byte{0})
		if f.id == "PRIV" && ok && string(owner) == timestampOwner && len(value) == 8 {
			return int64(binary.BigEndian.Uint64(value) & (1<<63 - 1)), true
		}
	}
	return 0, false
}

// packedFrames walks the frames, which lie at offset of the segment.
func packedFrames(rec *recorder, data []byte, want expect, info *trackInfo, offset int64) {
	p := Place{Document: want.name, Box: "frame", Offset: want.offset + offset}
	codec := packedCodec(data)
	if codec == "" {
		rec.Add("HA111", p, "%x is no frame of AAC, AC-3 or MPEG audio", data[:min(len(data), 4)])
		return
	}
	var samples int64
	for len(data) > 0 {
		f, err := parseAudio(codec, data)
		if err != nil {
			rec.Add("HA111", p, "frame %d: %v", info.frames, err)
			break
		}
		switch {
		case info.frames == 0:
			info.rate, info.channels, info.codec = f.rate, f.channels, f.codec
			if text := f.beyondProfile(); want.profile == ProfileIIS && text != "" {
				rec.Add("HD102", p, "%s", text)
			}
		case f.rate != info.rate || f.channels != info.channels:
			rec.Add("HA112", p, "frame %d has %d Hz and %d channels, the first %d and %d",
				info.frames, f.rate, f.channels, info.rate, info.channels)
			data = nil
			continue
		}
		info.frames++
		samples += f.samples
		data, p.Offset = data[f.size:], p.Offset+int64(f.size)
	}
	if info.frames == 0 {
		return
	}
	rec.Tally(func(n *Counts) { n.Samples += info.frames })
	whole := time.Duration(samples) * time.Second / time.Duration(info.rate)
	info.end = info.first + whole
	info.shortest, info.longest = whole/time.Duration(info.frames), whole/time.Duration(info.frames)
}
