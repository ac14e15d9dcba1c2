package edge

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// minPending is the least bound of the bytes that wait to be written; it is never less than one object.
	minPending = 64 << 20
	// maxJobs bounds the objects that wait to be written.
	maxJobs = 4096
	// maxUndead bounds the files that are to be removed another time.
	maxUndead = 4096
	// diskBlock is what the size of a file is rounded up to, as file systems do.
	diskBlock = 4096
)

// digest names a key on disk: the first half of its SHA-256.
type digest [16]byte

func digestOf(k key) digest {
	b := make([]byte, 0, 512)
	b = append(append(append(append(append(b, k.host...), 0), k.path...), 0), k.query...)
	sum := sha256.Sum256(b)
	return digest(sum[:16])
}

// variantHash names a variant on disk.
func variantHash(vary []selector) uint64 {
	if len(vary) == 0 {
		return 0
	}
	var b []byte
	for _, s := range vary {
		b = append(append(append(append(b, s.name...), 0), s.value...), 0)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// fileRef says where a body is. What a file holds never changes: a new object has a new number. So one that was opened
// or noted is the right one, even if another process uses the directory.
type fileRef struct {
	digest          digest
	variant, number uint64
	// offset of the body. Zero means that there is no file.
	offset int64
}

// path returns the name of the file: digest, variant and number, below a directory of the first two digits.
func (f fileRef) path(dir string) string {
	name := fmt.Sprintf("%x-%016x-%016x", f.digest[:], f.variant, f.number)
	return filepath.Join(dir, name[:2], name)
}

// parseName parses the name of a file.
func parseName(name string) (fileRef, bool) {
	parts := strings.Split(name, "-")
	if len(parts) != 3 || len(parts[0]) != 32 || len(parts[1]) != 16 || len(parts[2]) != 16 {
		return fileRef{}, false
	}
	var f fileRef
	_, err := hex.Decode(f.digest[:], []byte(parts[0]))
	var errVariant, errNumber error
	f.variant, errVariant = strconv.ParseUint(parts[1], 16, 64)
	f.number, errNumber = strconv.ParseUint(parts[2], 16, 64)
	return f, err == nil && errVariant == nil && errNumber == nil
}

// diskFile is a file in the index, where it takes some 200 bytes with everything around it; key and header are only in
// the file.
type diskFile struct {
	variant, number uint64
	bytes           int64
}

// disk is the disk tier.
type disk struct {
	dir        string
	max        int64
	maxPending int64
	jobs       chan *job

	mu           sync.Mutex // guards what follows; never held across reading or writing
	index        fifo[digest, []diskFile]
	pending      map[digest][]*job
	pendingBytes int64
	number       uint64
	undead       []fileRef // files that could not be removed
}

// job is an object that waits to be written.
type job struct {
	hash   uint64
	key    key
	digest digest
	object *object
	// dropped means that it must not be stored any more. mu of disk guards it.
	dropped bool
}

// newDisk makes the directory if needed, and the index by the names and sizes of the files that are there. What is in
// them is checked when it is used.
func newDisk(dir string, maxBytes, maxObject int64) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("edge: cache directory: %w", err)
	}
	d := &disk{
		dir: dir, max: maxBytes, maxPending: max(minPending, maxObject), jobs: make(chan *job, maxJobs),
		index: newFIFO[digest, []diskFile](maxBytes), pending: map[digest][]*job{},
	}
	if err := d.scan(); err != nil {
		return nil, fmt.Errorf("edge: cache directory: %w", err)
	}
	return d, nil
}

// enqueue hands over an object to be written. It never blocks. Until it is written it is found as well.
func (d *disk) enqueue(h uint64, k key, o *object) error {
	j := &job{hash: h, key: k, digest: digestOf(k), object: o}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pendingBytes+o.size > d.maxPending {
		return fmt.Errorf("%w: %d bytes wait", errDiskFull, d.pendingBytes)
	}
	select {
	case d.jobs <- j:
	default:
		return fmt.Errorf("%w: %d objects wait", errDiskFull, len(d.jobs))
	}
	d.pending[j.digest] = append(d.pending[j.digest], j)
	d.pendingBytes += o.size
	return nil
}

// write writes the object of a job.
func (d *disk) write(j *job) (fileRef, error) {
	prefix := encodeDisk(j.key, j.object, bodySum(j.object.body))
	ref := fileRef{digest: j.digest, variant: variantHash(j.object.vary), number: d.nextNumber(), offset: int64(len(prefix))}
	path := ref.path(d.dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fileRef{}, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "tmp-*")
	if err != nil {
		return fileRef{}, err
	}
	_, err = file.Write(prefix)
	if err == nil {
		_, err = file.Write(j.object.body)
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fileRef{}, err
	}
	return ref, nil
}

// nextNumber returns a number that no file had before: the time, so that the order of files outlives the process.
func (d *disk) nextNumber() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.number = max(d.number+1, uint64(time.Now().UnixNano()))
	return d.number
}

// finish ends a job: its file, if there is one, enters the index, unless the key was removed meanwhile. It reports
// whether it did, and removes the files that have to go.
func (d *disk) finish(j *job, ref fileRef) bool {
	var gone []fileRef
	d.mu.Lock()
	d.pendingBytes -= j.object.size
	if left := slices.DeleteFunc(d.pending[j.digest], func(p *job) bool { return p == j }); len(left) > 0 {
		d.pending[j.digest] = left
	} else {
		delete(d.pending, j.digest)
	}
	stored := ref.offset > 0 && !j.dropped
	switch {
	case stored:
		gone = d.add(ref, ref.offset+j.object.size)
	case ref.offset > 0:
		gone = append(gone, ref)
	}
	d.mu.Unlock()
	d.unlink(gone)
	return stored
}

// add enters a file into the index and returns the files that have to go. mu must be held.
func (d *disk) add(ref fileRef, bytes int64) (gone []fileRef) {
	files := []diskFile{{ref.variant, ref.number, bytes}}
	if it := d.index.get(ref.digest); it != nil {
		for _, f := range it.value {
			if f.variant == ref.variant || len(files) >= maxVariants {
				gone = append(gone, fileRef{digest: ref.digest, variant: f.variant, number: f.number})
			} else {
				files = append(files, f)
			}
		}
	}
	return append(gone, d.set(ref.digest, files)...)
}

// set stores the files of a digest and returns the files that have to go. mu must be held.
func (d *disk) set(sum digest, files []diskFile) (gone []fileRef) {
	if len(files) == 0 {
		d.index.remove(sum)
		return nil
	}
	cost := int64(0)
	for _, f := range files {
		cost += (f.bytes + diskBlock - 1) / diskBlock * diskBlock
	}
	d.index.set(sum, files, cost, func(sum digest, files []diskFile) { gone = append(gone, refsOf(sum, files)...) })
	return gone
}

func refsOf(sum digest, files []diskFile) []fileRef {
	refs := make([]fileRef, 0, len(files))
	for _, f := range files {
		refs = append(refs, fileRef{digest: sum, variant: f.variant, number: f.number})
	}
	return refs
}

// take takes a key out of the index, and what waits to be written for it. It reports whether there was something, and
// the files, which the caller has to remove.
func (d *disk) take(sum digest) (found bool, gone []fileRef) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range d.pending[sum] {
		found = found || !j.dropped
		j.dropped = true
	}
	if it := d.index.get(sum); it != nil {
		gone, found = refsOf(sum, it.value), true
		d.index.remove(sum)
	}
	return found, gone
}

// removeFile removes one file that turned out to be gone or corrupt.
func (d *disk) removeFile(ref fileRef) {
	d.mu.Lock()
	if it := d.index.get(ref.digest); it != nil {
		left := slices.DeleteFunc(slices.Clone(it.value), func(f diskFile) bool {
			return f.variant == ref.variant && f.number == ref.number
		})
		d.set(ref.digest, left)
	}
	d.mu.Unlock()
	d.unlink([]fileRef{ref})
}

// unlink removes files. Those that cannot be removed, such as on Windows while they are being sent, are tried again
// with the next ones; what is then left when the process ends would be found again at the next start.
func (d *disk) unlink(refs []fileRef) {
	d.mu.Lock()
	refs = append(refs, d.undead...)
	d.undead = nil
	d.mu.Unlock()
	var undead []fileRef
	for _, ref := range refs {
		if ignoreMissing(os.Remove(ref.path(d.dir))) != nil && len(undead) < maxUndead {
			undead = append(undead, ref)
		}
	}
	if len(undead) > 0 {
		d.mu.Lock()
		d.undead = append(d.undead, undead...)
		d.undead = d.undead[:min(len(d.undead), maxUndead)]
		d.mu.Unlock()
	}
}

// stats returns what the tier holds.
func (d *disk) stats() TierStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return TierStats{Keys: len(d.index.items), Bytes: d.index.bytes(), MaxBytes: d.max, Evicted: d.index.evicted}
}
