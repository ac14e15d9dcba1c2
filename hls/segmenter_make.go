package hls

import (
	"context"
	"fmt"
	"io"

	"github.com/smoothkit/smoothkit/smooth"
)

// pieceSize is how much of a segment of MPEG-2 TS is made before it is written, in bytes: little enough to be still in the
// cache of the processor when the system copies it.
const pieceSize = 256 << 10

// make makes a segment.
func (s *segmentation) make(ctx context.Context, j *segmentJob) (made madeFile, err error) {
	t, g := j.t, &j.t.list[j.i]
	f, err := s.sink.Create(ctx, j.name)
	if err != nil {
		return made, err
	}
	switch {
	case t.r.stream.Type == smooth.Text:
		made, err = s.makeText(ctx, f, t, g)
	case s.show.layout == fragmented:
		made, err = s.makeCMAF(ctx, f, t, g)
	default:
		made, err = s.makeTS(ctx, f, t, g)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		f.Abort()
		return made, fmt.Errorf("hls: %s: %w", j.name, err)
	}
	if err = f.Commit(); err != nil {
		return made, fmt.Errorf("hls: %s: %w", j.name, err)
	}
	return made, nil
}

func (s *segmentation) makeText(ctx context.Context, w io.Writer, t *segmentedTrack, g *segment) (madeFile, error) {
	data, err := s.show.textSegment(ctx, s, t.r, &t.plan, g)
	if err == nil {
		_, err = w.Write(data)
	}
	return madeFile{Size: int64(len(data))}, err
}

// sealed calls write with a writer that encrypts whole segments, if that is wanted, and returns the size of the file.
// write returns how much it has written.
func (s *segmentation) sealed(ctx context.Context, w io.Writer, t *segmentedTrack, g *segment, write func(w io.Writer) (int64, error)) (int64, error) {
	protect := s.out.protect
	if protect == nil || protect.method != AES128 {
		return write(w)
	}
	key, iv, err := protect.segmentKey(ctx, t.input, g.number)
	if err != nil {
		return 0, err
	}
	e := newAES128Writer(w, key, iv)
	n, err := write(e)
	if closed := e.Close(); err == nil {
		err = closed
	}
	return aes128Size(n), err
}

// makeCMAF makes a segment of fragmented MP4.
func (s *segmentation) makeCMAF(ctx context.Context, w io.Writer, t *segmentedTrack, g *segment) (made madeFile, err error) {
	c, err := newCMAFSegment(ctx, s, t.r, g)
	if err != nil {
		return made, err
	}
	defer c.close()
	chunks := wholeChunks(c)
	if t.r.stream.Type == smooth.Video {
		for _, p := range c.parts {
			for _, err := range p.fragment.Samples() {
				if err != nil {
					return made, err
				}
				made.Units++
			}
		}
		if chunks, err = splitChunks(c, g.first); err != nil {
			return made, err
		}
		made.note(chunks)
	}
	made.Size, err = s.sealed(ctx, w, t, g, func(w io.Writer) (int64, error) { return writeBlocks(w, chunks) })
	return made, err
}

// note notes where the key frames are that are chunks of their own.
func (m *madeFile) note(chunks []cmafChunk) {
	offset := int64(0)
	for i := range chunks {
		size := int64(len(chunks[i].head)) + chunks[i].size
		if chunks[i].keyFrame {
			m.Frames = append(m.Frames, offset, size)
		}
		offset += size
	}
}

// makeTS makes a segment of MPEG-2 TS, piece by piece.
func (s *segmentation) makeTS(ctx context.Context, w io.Writer, t *segmentedTrack, g *segment) (made madeFile, err error) {
	ts, err := s.show.collect(ctx, s, t.r, &t.plan, g)
	if err != nil {
		return made, err
	}
	defer ts.close()
	if protect := s.out.protect; protect != nil && protect.method == SampleAES {
		key, iv, err := protect.segmentKey(ctx, t.input, g.number)
		if err != nil {
			return made, err
		}
		if err := ts.encryptSamples(key, iv); err != nil {
			return made, err
		}
	}
	if t.r.stream.Type == smooth.Video && ts.tracks[0].codec.Type == smooth.Video {
		made.Units = uint64(len(ts.tracks[0].list))
	}
	made.Size, err = s.sealed(ctx, w, t, g, func(w io.Writer) (int64, error) { return made.pieces(ctx, w, ts) })
	return made, err
}

// pieces writes a segment and notes its key frames.
func (m *madeFile) pieces(ctx context.Context, w io.Writer, ts *tsSegment) (int64, error) {
	buf := getBuffer(pieceSize + ts.largest())
	defer putBuffer(buf)
	total, fragment := int64(0), int32(-1)
	rest, err := ts.each(ctx, (*buf)[:0], func(made []byte, x *unit, start int) ([]byte, error) {
		if x.frames == 0 && x.sync && x.fragment != fragment {
			fragment = x.fragment
			m.Frames = append(m.Frames, total+int64(start), int64(len(made)-start))
		}
		if len(made) < pieceSize {
			return made, nil
		}
		n, err := w.Write(made)
		total += int64(n)
		return made[:0], err
	})
	if err != nil {
		return total, err
	}
	n, err := w.Write(rest)
	return total + int64(n), err
}

// largest bounds the bytes that one unit takes, with what ends its stream.
func (t *tsSegment) largest() int {
	most := uint64(0)
	for i, u := range t.tracks {
		for j := range u.list {
			most = max(most, t.muxer.SizeBound(i, u.list[j].load()))
		}
	}
	return int(min(most+closing, maxSegment))
}
