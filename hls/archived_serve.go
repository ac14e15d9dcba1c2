package hls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/smoothkit/smoothkit/smooth"
)

// archiveTolerance is how far from the start of a segment a request may be, in ticks of the stream: playlists that IIS
// made had the times of decoding, which are earlier by what B-frames need.
const archiveTolerance = smooth.DefaultTimescale / 5

// newArchiveShow is newShow for an archive.
func newArchiveShow(s *smooth.Snapshot, a *archive, t *target, p *protection) (*show, error) {
	refuse := func(reason string) error {
		return &smooth.UnsupportedError{Stream: s.Manifest.Streams[0].Name, Format: t.format, Reason: reason}
	}
	switch {
	case t.layout == fragmented:
		return nil, refuse("it is stored as MPEG-2 TS")
	case p != nil && p.method == SampleAES:
		return nil, refuse("it is stored as MPEG-2 TS, whose samples are not encrypted one by one")
	}
	w, err := showOf(s, separate, t.format, false)
	if err != nil {
		return nil, err
	}
	if t.layout == muxed && len(w.audio) > 0 {
		for i := range w.video {
			if tr := a.track(w.video[i].key(0)); tr == nil || tr.sound() == nil {
				return nil, refuse("sound and picture are stored in files of their own")
			}
		}
	}
	return w, nil
}

// serveArchive answers a request for an archive, of which s shows a part or all.
func (x *exchange) serveArchive(s *smooth.Snapshot) (err error) {
	if x.show, err = newArchiveShow(s, x.archive, &x.target, x.o.protect); err != nil {
		return err
	}
	if x.target.kind == masterPlaylist {
		return x.serveArchiveMaster()
	}
	if x.r1, err = x.show.find(x.target.key); err != nil {
		return err
	}
	x.target.key.Stream = x.r1.stream.Name
	switch x.target.kind {
	case mediaPlaylist:
		return x.serveMedia()
	case mediaSegment:
		return x.serveArchived()
	}
	return fmt.Errorf("hls: an archive has playlists and segments only: %w", smooth.ErrNotFound)
}

func (x *exchange) serveArchiveMaster() error {
	key, data, err := x.playlist(func(ctx context.Context, link linker, _ string) ([]byte, error) {
		return x.o.archiveMaster(ctx, x.archive, x.show, link)
	})
	if err != nil {
		return err
	}
	return x.sendPlaylist(key, data)
}

// archiveMaster returns the master playlist of an archive. The files of most archives hold picture and sound; sound in a
// file of its own is a rendition for those that do not, or a variant without picture.
func (o *Output) archiveMaster(ctx context.Context, a *archive, w *show, link linker) ([]byte, error) {
	m := masterWriter{show: w, o: o, ctx: ctx, p: a, link: link, known: make(map[*rendition]weight)}
	levels := w.audio
	if len(w.video) == 0 && len(w.audio) == 1 {
		levels, _ = w.levels(w.audio[0].stream)
	}
	for _, list := range [][]rendition{w.video, w.audio, levels} {
		for i := range list {
			m.known[&list[i]] = a.weigh(w, &list[i], o)
		}
	}
	groups, err := m.groups()
	if err != nil {
		return nil, err
	}
	variants, grouped, err := m.archiveVariants(a, groups)
	if err != nil {
		return nil, err
	}
	if len(w.video) == 0 || !grouped && !o.opts.OmitAudioOnly && !m.omitsAudioOnly() {
		variants = append(variants, m.archiveSound(levels)...)
	}
	dst := strconv.AppendInt([]byte("#EXTM3U\n#EXT-X-VERSION:"), archiveVersion(grouped), 10)
	dst = append(dst, "\n#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	if grouped {
		dst = m.appendRenditions(dst, groups)
	}
	for i := range variants {
		dst = m.appendVariant(dst, &variants[i])
	}
	return dst, nil
}

// archiveVersion returns the EXT-X-VERSION: 4 for renditions, 3 for fractions of seconds. See RFC 8216 section 7.
func archiveVersion(grouped bool) int64 {
	if grouped {
		return 4
	}
	return 3
}

// archiveVariants returns the variants with a picture, and whether any of them has its sound in a group.
func (m *masterWriter) archiveVariants(a *archive, groups []*audioGroup) (list []variant, grouped bool, err error) {
	for _, r := range m.startOrder() {
		sound := a.track(r.key(0)).sound()
		own := groups
		if sound != nil {
			own = nil
		}
		of, err := m.variantsOf(r, own)
		if err != nil {
			return nil, false, err
		}
		if sound != nil {
			of[0].codecs = append(of[0].codecs, codecsOf(sound, m.layout))
		}
		grouped = grouped || of[0].group != nil
		list = append(list, of...)
	}
	return m.limit(list), grouped, nil
}

// archiveSound returns the variants without picture.
func (m *masterWriter) archiveSound(levels []rendition) []variant {
	var list []variant
	for i := range levels {
		r := &levels[i]
		list = append(list, variant{main: r, weight: m.known[r], codecs: []string{codecsOf(r.codec, m.layout)}})
	}
	if len(m.video) > 0 {
		return list
	}
	return m.limit(list)
}

// weigh returns the weight of a rendition, which for an archive is known exactly.
func (a *archive) weigh(w *show, r *rendition, o *Output) weight {
	t := a.track(r.key(0))
	pl := newPlan(w.snap, r.stream, o.length())
	var v weight
	var total, ticks uint64
	for _, s := range pl.segments(nil) {
		if s.gap || s.end == s.start {
			continue
		}
		b, err := t.body(&pl, &s)
		if err != nil {
			continue
		}
		size := uint64(b.size) + sealing
		total, ticks = total+size, ticks+s.end-s.start
		v.peak = max(v.peak, smooth.Rescale(size*8, s.end-s.start, pl.timescale)+1)
	}
	if ticks > 0 {
		v.average = smooth.Rescale(total*8, ticks, pl.timescale)
	}
	if ix := t.file.index; t.kind == smooth.Video && ix.ticks > 0 {
		v.frameRate = smooth.Rescale(ix.units*1000, ix.ticks, mpegScale)
	}
	return v
}

// serveArchived answers with a segment of an archive.
func (x *exchange) serveArchived() error {
	line := x.r1.stream.Timeline
	if i, ok := line.Nearest(x.target.key.Time, archiveTolerance); ok {
		x.target.key.Time = line[i].Time
	}
	pl, s, err := x.locate()
	if err != nil {
		return err
	}
	x.target.count = s.count
	body, err := x.archive.track(x.r1.key(0)).body(&pl, &s)
	if err != nil {
		return err
	}
	body.ctx = x.r.Context()
	if x.o.protect != nil {
		return x.sendMade(typeTS, s.number, func(ctx context.Context) (*[]byte, error) {
			body.ctx = ctx
			return x.o.encryptArchived(ctx, x.req.Presentation, s.number, body)
		})
	}
	a := x.reply(typeTS, s.number)
	a.size, a.write, a.at = body.size, body.WriteTo, body
	return x.send(&a)
}

// encryptArchived returns a segment of an archive under AES-128.
func (o *Output) encryptArchived(ctx context.Context, presentation string, number uint64, b *archiveBody) (*[]byte, error) {
	key, iv, err := o.protect.segmentKey(ctx, presentation, number)
	if err != nil {
		return nil, err
	}
	if b.size > maxSegment {
		return nil, fmt.Errorf("hls: segment %d of %d bytes: %w", number, b.size, smooth.ErrTooLarge)
	}
	buf := getBuffer(int(b.size) + sealing)
	data := (*buf)[:b.size]
	if _, err := b.ReadAt(data, 0); err != nil && err != io.EOF {
		putBuffer(buf)
		return nil, err
	}
	*buf = encryptAES128(data, 0, key, iv)
	return buf, nil
}

// An archiveBody is a segment of an archive: tables, if the file has none there, and parts of the file.
type archiveBody struct {
	ctx    context.Context
	head   []byte
	pieces []tsHole
	file   *archiveFile
	size   int64
}

// body returns the segment s of a track, which the timeline of a filter may have been cut for.
func (t *archiveTrack) body(pl *plan, s *segment) (*archiveBody, error) {
	ix := t.file.index
	at, ok := t.line.Find(pl.line[s.first].Time)
	from, found := t.point(pl.line[s.first].Time)
	if !ok || !found {
		return nil, fmt.Errorf("hls: %s: no segment at %d: %w", t.file.name, pl.line[s.first].Time, smooth.ErrNotFound)
	}
	next := len(ix.points)
	if end := at + s.count; end < len(t.line) {
		if next, found = t.point(t.line[end].Time); !found || next <= from {
			return nil, fmt.Errorf("hls: %s: no segment ends at %d: %w", t.file.name, t.line[end].Time, smooth.ErrNotFound)
		}
	}
	b := &archiveBody{file: t.file}
	start, tabled := ix.start(from)
	if !tabled {
		b.head = ix.head(from, s.number)
	}
	end, _ := ix.start(next)
	b.pieces = ix.pieces(start, end)
	b.size = int64(len(b.head))
	for _, p := range b.pieces {
		b.size += p.to - p.from
	}
	return b, nil
}

// WriteTo writes the segment the cheapest way: the kernel sends the parts of a file that it can lend. One that was
// replaced cannot any more, but what is open of it can still be read.
func (b *archiveBody) WriteTo(w io.Writer) (int64, error) {
	var f *os.File
	rf, canSend := w.(io.ReaderFrom)
	if leaser, ok := b.file.file.(smooth.Leaser); ok && canSend {
		if lent, err := leaser.Lease(); err == nil {
			f = lent
			defer leaser.Return(f)
		}
	}
	n, err := w.Write(b.head)
	done := int64(n)
	if err != nil {
		return done, err
	}
	for _, p := range b.pieces {
		var m int64
		if f != nil {
			m, err = sendPiece(rf, f, p)
		} else {
			m, err = io.Copy(w, io.NewSectionReader(contextReader{b.ctx, b.file.file}, p.from, p.to-p.from))
		}
		if done += m; err == nil && m < p.to-p.from {
			err = fmt.Errorf("hls: %s has become shorter: %w", b.file.name, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// sendPiece sends a part of a file that nobody else has. net/http reaches sendfile only through ReadFrom with a
// LimitedReader over the file itself.
func sendPiece(w io.ReaderFrom, f *os.File, p tsHole) (int64, error) {
	if _, err := f.Seek(p.from, io.SeekStart); err != nil {
		return 0, err
	}
	return w.ReadFrom(&io.LimitedReader{R: f, N: p.to - p.from})
}

// ReadAt reads from the segment as one piece.
func (b *archiveBody) ReadAt(dst []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(b.head)) {
		n = copy(dst, b.head[off:])
	}
	at := int64(len(b.head)) // of the piece in the segment
	for _, p := range b.pieces {
		length := p.to - p.from
		if skip := off + int64(n) - at; skip < length && n < len(dst) {
			part := dst[n:min(int64(len(dst)), int64(n)+length-skip)]
			m, err := b.file.file.ReadAtContext(b.ctx, part, p.from+skip)
			if n += m; m < len(part) {
				if err == nil || errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return n, err
			}
		}
		at += length
	}
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

// contextReader makes an [io.ReaderAt] of a file.
type contextReader struct {
	ctx  context.Context
	file contextReaderAt
}

func (r contextReader) ReadAt(p []byte, off int64) (int, error) {
	return r.file.ReadAtContext(r.ctx, p, off)
}
