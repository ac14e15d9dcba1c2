// Package journal is what a recording writes down about the files of a segment while they grow: enough to know after a crash
// what is whole.
//
// A journal is a sequence of records, of which the last may be torn. All numbers are big-endian.
//
//	0  4  n, the size of kind and content: 1 to [MaxRecord]
//	4  1  kind
//	5     content
//	4+n 4 CRC-32C of kind and content
//
// What is recorded later overrules what is recorded before.
package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/smoothkit/smoothkit/smooth"
)

// MaxRecord bounds kind and content of a record, in bytes.
const MaxRecord = 4 << 20

// ErrRecord is returned for a record that does not fit into a journal.
var ErrRecord = errors.New("record too large")

// castagnoli has instructions of its own on most processors.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum adds bytes to the CRC-32C of those before them, which is zero at first.
func Sum(crc uint32, b []byte) uint32 { return crc32.Update(crc, castagnoli, b) }

type kind byte

const (
	kindFile     kind = 'f' // JSON of a File
	kindFragment kind = 'm' // see AppendFragment
	kindCut      kind = 'c' // file 2, size 8
	kindMark     kind = 's' // file 2, size 8, repeated
	kindGap      kind = 'g' // time 8, duration 8, name of the stream
)

// File declares a media file, or further tracks of one.
type File struct {
	// Number names the file in other records.
	Number uint16
	// Name is that in the directory of the segment, Input the input stream it is of.
	Name, Input string
	// Header is the size of what stands before the first fragment, Sum its CRC-32C.
	Header int64
	Sum    uint32
	// Tracks of the file.
	Tracks []Track
}

// Track is a track of a [File].
type Track struct {
	// ID is the track_ID.
	ID uint32
	// Key names the track; Time is zero.
	Key smooth.FragmentKey
	// Stream and Level are as in the client manifest; the timeline is empty.
	Stream *smooth.Stream
	Level  *smooth.QualityLevel
	// Codec is the configuration.
	Codec *smooth.Codec
}

// Fragment is a moof and an mdat box.
type Fragment struct {
	// File and Track are a number of a File and the track_ID.
	File  uint16
	Track uint32
	// Time and Duration in ticks of 100 ns.
	Time, Duration uint64
	// Offset in the file, Head and Payload as in package index, all in bytes.
	Offset        int64
	Head, Payload uint32
	// Sum is the CRC-32C of all its bytes.
	Sum uint32
}

// End returns the offset of the first byte after the fragment.
func (f *Fragment) End() int64 { return f.Offset + int64(f.Head) + int64(f.Payload) }

// Size is a length of a file in bytes.
type Size struct {
	File uint16
	Size int64
}

// Cut tells that a file was cut: what of it is recorded and ends after that size is gone.
type Cut Size

// Mark tells that so much of each file was synced when the record was written.
type Mark []Size

// AppendFile appends a record. The error wraps [ErrRecord], or is that of a value that has no JSON.
func AppendFile(dst []byte, f *File) ([]byte, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return dst, fmt.Errorf("archive: journal: file %q: %w", f.Name, err)
	}
	if len(b) >= MaxRecord {
		return dst, fmt.Errorf("archive: journal: file %q with %d tracks, %d bytes: %w", f.Name, len(f.Tracks), len(b), ErrRecord)
	}
	return seal(append(begin(dst, kindFile), b...), len(dst)), nil
}

// AppendFragment appends a record, of 51 bytes.
//
//	0 2 file  2 4 track  6 8 time  14 8 duration  22 8 offset  30 4 head  34 4 payload  38 4 sum
func AppendFragment(dst []byte, f *Fragment) []byte {
	start := len(dst)
	dst = begin(dst, kindFragment)
	dst = binary.BigEndian.AppendUint16(dst, f.File)
	dst = binary.BigEndian.AppendUint32(dst, f.Track)
	dst = binary.BigEndian.AppendUint64(dst, f.Time)
	dst = binary.BigEndian.AppendUint64(dst, f.Duration)
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.Offset))
	dst = binary.BigEndian.AppendUint32(dst, f.Head)
	dst = binary.BigEndian.AppendUint32(dst, f.Payload)
	return seal(binary.BigEndian.AppendUint32(dst, f.Sum), start)
}

const fragmentSize = 42

// AppendCut appends a record.
func AppendCut(dst []byte, c Cut) []byte {
	start := len(dst)
	return seal(appendSize(begin(dst, kindCut), Size(c)), start)
}

// AppendMark appends a record.
func AppendMark(dst []byte, m Mark) []byte {
	start := len(dst)
	dst = begin(dst, kindMark)
	for _, s := range m {
		dst = appendSize(dst, s)
	}
	return seal(dst, start)
}

// AppendGap appends a record.
func AppendGap(dst []byte, g smooth.Gap) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(begin(dst, kindGap), g.Time)
	dst = binary.BigEndian.AppendUint64(dst, g.Duration)
	return seal(append(dst, g.Stream...), start)
}

const sizeSize = 10

func appendSize(dst []byte, s Size) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(dst, s.File), uint64(s.Size))
}

func begin(dst []byte, k kind) []byte { return append(dst, 0, 0, 0, 0, byte(k)) }

// seal completes the record that begins at start.
func seal(dst []byte, start int) []byte {
	body := dst[start+4:]
	binary.BigEndian.PutUint32(dst[start:], uint32(len(body)))
	return binary.BigEndian.AppendUint32(dst, Sum(0, body))
}

// A Reader reads records. It is for one goroutine.
type Reader struct {
	r      io.Reader
	buf    []byte
	offset int64
}

// NewReader returns a reader of the records in r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Offset returns the end of the last record that is whole, in bytes: where a torn journal is to be cut.
func (r *Reader) Offset() int64 { return r.offset }

// Next returns the next record: a *[File], *[Fragment], [Cut], [Mark] or [smooth.Gap], which is valid until the next call. It
// returns io.EOF at the end, and at the first record that is torn or damaged.
// Other errors are those of the reader.
func (r *Reader) Next() (any, error) {
	var frame [4]byte
	if _, err := io.ReadFull(r.r, frame[:]); err != nil {
		return nil, torn(err)
	}
	n := int64(binary.BigEndian.Uint32(frame[:]))
	if n == 0 || n > MaxRecord {
		return nil, io.EOF
	}
	body, err := r.read(n + 4)
	if err != nil {
		return nil, torn(err)
	}
	body, sum := body[:n], binary.BigEndian.Uint32(body[n:])
	if Sum(0, body) != sum {
		return nil, io.EOF
	}
	rec := decode(kind(body[0]), body[1:])
	if rec == nil {
		return nil, io.EOF
	}
	r.offset += 4 + n + 4
	return rec, nil
}

// read reads n bytes. The memory grows with what is there.
func (r *Reader) read(n int64) ([]byte, error) {
	const step = 64 << 10
	r.buf = r.buf[:0]
	for int64(len(r.buf)) < n {
		at := len(r.buf)
		r.buf = append(r.buf, make([]byte, min(n-int64(at), step))...)
		if _, err := io.ReadFull(r.r, r.buf[at:]); err != nil {
			return nil, err
		}
	}
	return r.buf, nil
}

// torn makes the end in the middle of a record the same as the end.
func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// decode returns a record, nil if it is none.
func decode(k kind, b []byte) any {
	switch {
	case k == kindFile:
		f := new(File)
		if json.Unmarshal(b, f) != nil || f.Header < 0 || !f.complete() {
			return nil
		}
		return f
	case k == kindFragment && len(b) == fragmentSize:
		f := &Fragment{
			File: binary.BigEndian.Uint16(b), Track: binary.BigEndian.Uint32(b[2:]),
			Time: binary.BigEndian.Uint64(b[6:]), Duration: binary.BigEndian.Uint64(b[14:]), Offset: int64(binary.BigEndian.Uint64(b[22:])),
			Head: binary.BigEndian.Uint32(b[30:]), Payload: binary.BigEndian.Uint32(b[34:]), Sum: binary.BigEndian.Uint32(b[38:]),
		}
		if f.Offset < 0 || f.End() < 0 {
			return nil
		}
		return f
	case k == kindCut && len(b) == sizeSize:
		if s := sizeAt(b); s.Size >= 0 {
			return Cut(s)
		}
	case k == kindMark && len(b)%sizeSize == 0:
		var m Mark
		for ; len(b) > 0; b = b[sizeSize:] {
			m = append(m, sizeAt(b))
		}
		return m
	case k == kindGap && len(b) >= 16:
		return smooth.Gap{Time: binary.BigEndian.Uint64(b), Duration: binary.BigEndian.Uint64(b[8:]), Stream: string(b[16:])}
	}
	return nil
}

// complete reports whether each track has what the rest of the archive relies on.
func (f *File) complete() bool {
	for i := range f.Tracks {
		if t := &f.Tracks[i]; t.Stream == nil || t.Level == nil || t.Codec == nil {
			return false
		}
	}
	return true
}

func sizeAt(b []byte) Size {
	return Size{File: binary.BigEndian.Uint16(b), Size: int64(binary.BigEndian.Uint64(b[2:]))}
}
