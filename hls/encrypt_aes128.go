package hls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/smoothkit/smoothkit/smooth"
)

// sequenceIV returns the initialisation vector of a segment whose EXT-X-KEY has none: its media sequence number as a
// big-endian number of 128 bits. RFC 8216 section 5.2.
func sequenceIV(sequence uint64) (iv [16]byte) {
	binary.BigEndian.PutUint64(iv[8:], sequence)
	return iv
}

// aes128Size returns the size of a segment of n bytes once it is encrypted: PKCS #7 adds 1 to 16 bytes.
func aes128Size(n int64) int64 { return n + aes.BlockSize - n%aes.BlockSize }

// newCBC returns AES-128-CBC encryption from the start of a chain.
func newCBC(key, iv [16]byte) cipher.BlockMode {
	return cipher.NewCBCEncrypter(newAES(key), iv[:])
}

func newAES(key [16]byte) cipher.Block {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // it only checks the size of the key
	}
	return block
}

// encryptAES128 pads the segment b[from:] and encrypts it in place, as METHOD=AES-128 wants it: AES-128-CBC with
// PKCS #7 padding over the whole, RFC 8216 section 4.3.2.4. The result is b with up to 16 bytes appended; nothing is
// copied if it has room for aes128Size.
func encryptAES128(b []byte, from int, key, iv [16]byte) []byte {
	b = appendPadding(b, len(b)-from)
	newCBC(key, iv).CryptBlocks(b[from:], b[from:])
	return b
}

// appendPadding appends what PKCS #7 adds to n bytes. RFC 5652 section 6.3.
func appendPadding(b []byte, n int) []byte {
	pad := aes.BlockSize - n%aes.BlockSize
	for range pad {
		b = append(b, byte(pad))
	}
	return b
}

// aes128Chunk is the size in bytes of the buffer of an aes128Writer, and of all but the last of its writes. It is a
// multiple of the block size.
const aes128Chunk = 64 << 10

var aes128Chunks = sync.Pool{New: func() any { return new([aes128Chunk]byte) }}

// aes128Writer encrypts what is written to it as encryptAES128 does and passes it on in chunks, with memory that does
// not grow with the segment. Only Close, which must follow, makes the segment complete. It is for one goroutine.
//
//	buf: [ ciphertext, done bytes | plain text, rest bytes, less than a block | free ]
type aes128Writer struct {
	w          io.Writer
	mode       cipher.BlockMode
	buf        *[aes128Chunk]byte
	done, rest int
	err        error // sticky
}

// newAES128Writer returns a writer to w. w gets chunks of [aes128Chunk] bytes and one last that may be smaller.
func newAES128Writer(w io.Writer, key, iv [16]byte) *aes128Writer {
	return &aes128Writer{w: w, mode: newCBC(key, iv), buf: aes128Chunks.Get().(*[aes128Chunk]byte)}
}

// Write encrypts p. It implements [io.Writer]; the count includes bytes of which the ciphertext is still held.
func (e *aes128Writer) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) && e.err == nil {
		n += e.take(p[n:])
		e.flushFull()
	}
	return n, e.err
}

// take encrypts as much of p, which is not empty, as fits and returns how much that is. Whole blocks go from p straight
// to their place.
func (e *aes128Writer) take(p []byte) int {
	free := e.buf[e.done:]
	if e.rest == 0 && len(p) >= aes.BlockSize {
		n := min(len(p), len(free)) &^ (aes.BlockSize - 1)
		e.mode.CryptBlocks(free[:n], p[:n])
		e.done += n
		return n
	}
	n := copy(free[e.rest:aes.BlockSize], p)
	e.read(n)
	return n
}

// read takes note of n more bytes of plain text in the buffer and encrypts the blocks that are whole.
func (e *aes128Writer) read(n int) {
	e.rest += n
	whole := e.rest &^ (aes.BlockSize - 1)
	e.mode.CryptBlocks(e.buf[e.done:e.done+whole], e.buf[e.done:e.done+whole])
	e.done += whole
	e.rest -= whole
}

// ReadFrom encrypts what r gives until its end, without a copy in between. It implements [io.ReaderFrom].
func (e *aes128Writer) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	for e.err == nil {
		n, err := r.Read(e.buf[e.done+e.rest:])
		total += int64(n)
		e.read(n)
		e.flushFull()
		if err == io.EOF {
			break
		}
		if err != nil {
			return total, err
		}
	}
	return total, e.err
}

// flushFull writes the buffer if it is full. It leaves room for a block at least.
func (e *aes128Writer) flushFull() {
	if e.done == len(e.buf) {
		e.flush()
	}
}

func (e *aes128Writer) flush() {
	var n int
	n, e.err = e.w.Write(e.buf[:e.done])
	if e.err == nil && n < e.done {
		e.err = io.ErrShortWrite
	}
	e.done = 0
}

// Close writes what is held and the padding. It does not close the writer below. It returns the first error of all
// writes; after it the writer is not usable any more.
func (e *aes128Writer) Close() error {
	if e.buf == nil {
		return e.err
	}
	if e.err == nil {
		pad := appendPadding(e.buf[:e.done+e.rest], e.rest) // has room, see flushFull
		e.read(len(pad) - e.done - e.rest)
		e.flush()
	}
	aes128Chunks.Put(e.buf)
	e.buf = nil
	if e.err != nil {
		return e.err
	}
	e.err = fmt.Errorf("hls: encrypting writer: %w", smooth.ErrClosed)
	return nil
}
