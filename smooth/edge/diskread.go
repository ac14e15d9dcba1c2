package edge

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// staleTemp is how old an unfinished file must be to be removed at the start: younger ones may be those of a process
// that hands over to this one.
const staleTemp = time.Hour

// firstRead is how much of a file is read at first: prefix and header of nearly all.
const firstRead = 4 << 10

func bodySum(body []byte) uint32 { return crc32.Checksum(body, castagnoli) }

// scan makes the index. The oldest files come first, so they go first.
func (d *disk) scan() error {
	type found struct {
		ref   fileRef
		bytes int64
	}
	var list []found
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path != d.dir:
			return fs.SkipDir // such as lost+found, or just removed
		case err != nil || !entry.Type().IsRegular():
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		if ref, ok := parseName(entry.Name()); ok {
			list = append(list, found{ref, info.Size()})
		} else if strings.HasPrefix(entry.Name(), "tmp-") && time.Since(info.ModTime()) > staleTemp {
			return ignoreMissing(os.Remove(path))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b found) int { return cmp.Compare(a.ref.number, b.ref.number) })
	d.mu.Lock()
	var gone []fileRef
	for _, f := range list {
		d.number = max(d.number, f.ref.number)
		gone = append(gone, d.add(f.ref, f.bytes)...)
	}
	d.mu.Unlock()
	d.unlink(gone)
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// files returns the objects of a key that wait to be written, and the files of those that are.
func (d *disk) files(sum digest) (waiting []*object, refs []fileRef) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range slices.Backward(d.pending[sum]) {
		if !j.dropped {
			waiting = append(waiting, j.object)
		}
	}
	if it := d.index.get(sum); it != nil {
		it.touch()
		refs = refsOf(sum, it.value)
	}
	return waiting, refs
}

// digests returns all that are in the index.
func (d *disk) digests() []digest {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]digest, 0, len(d.index.items))
	for sum := range d.index.items {
		list = append(list, sum)
	}
	return list
}

// load reads the header of a file, and the body if it has at most maxBody bytes. The error is errCorrupt or one of the
// file system.
func (d *disk) load(ref fileRef, maxBody int64) (diskHeader, error) {
	file, err := os.Open(ref.path(d.dir))
	if err != nil {
		return diskHeader{}, err
	}
	defer file.Close()
	h, offset, err := readHeader(file)
	if err != nil {
		return diskHeader{}, err
	}
	if digestOf(h.key) != ref.digest || variantHash(h.object.vary) != ref.variant {
		return diskHeader{}, fmt.Errorf("%w: it is that of %q", errCorrupt, h.key.path)
	}
	ref.offset = offset
	if h.object.size > maxBody {
		h.object = h.object.with(nil, ref)
		return h, nil
	}
	body := make([]byte, h.object.size) // no more than maxBody, and the file has as many
	if _, err := file.ReadAt(body, offset); err != nil {
		return diskHeader{}, err
	}
	if sum := bodySum(body); sum != h.bodySum {
		return diskHeader{}, fmt.Errorf("%w: body has checksum %08x, states %08x", errCorrupt, sum, h.bodySum)
	}
	h.object = h.object.with(body, ref)
	return h, nil
}

// readHeader reads the header of a file and returns the offset of the body.
func readHeader(file *os.File) (diskHeader, int64, error) {
	info, err := file.Stat()
	if err != nil {
		return diskHeader{}, 0, err
	}
	b := make([]byte, firstRead)
	n, err := file.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return diskHeader{}, 0, err
	}
	b = b[:n]
	headerLen, _, err := diskLengths(b, info.Size())
	if err != nil {
		return diskHeader{}, 0, err
	}
	length := diskPrefix + headerLen
	if length > len(b) { // at most maxDiskHeader, and no more than the file has
		b = make([]byte, length)
		if _, err := file.ReadAt(b, 0); err != nil {
			return diskHeader{}, 0, err
		}
	}
	h, err := decodeDisk(b[:length])
	return h, int64(length), err
}

// open opens the file of a body for one request, at its beginning. It has the size that it had when it was written, or
// else there is an error.
func (d *disk) open(ref fileRef, size int64) (*os.File, error) {
	file, err := os.Open(ref.path(d.dir))
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != ref.offset+size {
		err = fmt.Errorf("%w: %d bytes, was %d", errCorrupt, info.Size(), ref.offset+size)
	}
	if err == nil {
		_, err = file.Seek(ref.offset, io.SeekStart)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
