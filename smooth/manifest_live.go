package smooth

import (
	"math/bits"
	"sort"
)

// A live manifest is another one after each fragment, and nearly all of it is as it was. So its c elements are written in
// blocks: the fragments that begin in the same liveSpan seconds of the timeline. Each block begins with a t, so its text
// depends on nothing but its chunks, and a handler takes what it has written for the same chunks before, as text and as a
// part of a gzip file (see chunkBlocks). The first and the last block of a stream change all the time; they are always
// written anew, and so is what stands between the streams.
//
// Where blocks begin, and how they are compressed, follows from the times alone. So the bytes do not depend on what was
// asked for before, and every node sends the same.

// liveSpan is the length of a block in seconds. With fragments of two seconds it has 256 of them, which are 5 kB.
const liveSpan = 512

// liveChunks writes the c elements of a live stream.
func (w *manifestWriter) liveChunks(s *Stream) {
	span := liveTicks(w.m.TimescaleOf(s))
	known := w.live.open(s, w.repeats)
	for from, to := 0, 0; from < len(s.Timeline); from = to {
		to = blockEnd(s.Timeline, from, span)
		chunks := s.Timeline[from:to]
		inner := from > 0 && to < len(s.Timeline) && s.Embedded == nil // what is embedded differs between filtered views
		if from > 0 && !w.checked(s, s.Timeline[from-1:from+1]) {
			return
		}
		if b := known.take(chunks, inner); b != nil {
			w.live.insert(w, b)
			continue
		}
		start := len(w.b)
		if !w.checked(s, chunks) {
			return
		}
		w.elements(s, from, to)
		if inner && w.live != nil {
			b := known.add(chunks, w.b[start:])
			w.b = w.b[:start]
			w.live.insert(w, b)
		}
	}
	known.close()
}

// liveTicks returns the length of a block in ticks.
func liveTicks(timescale uint64) uint64 {
	hi, span := bits.Mul64(timescale, liveSpan)
	if hi != 0 {
		return noEnd
	}
	return span
}

// blockEnd returns the position after the block that begins at a position.
func blockEnd(tl Timeline, from int, span uint64) int {
	hi, end := bits.Mul64(tl[from].Time/span+1, span)
	if hi != 0 {
		return len(tl)
	}
	rest := tl[from+1:] // so that times out of order, which are found later, cannot make an empty block
	return from + 1 + sort.Search(len(rest), func(i int) bool { return rest[i].Time >= end })
}

// liveText is a live manifest in pieces.
type liveText struct {
	pieces []livePiece
	size   int
}

// livePiece is a block, or text of one manifest only.
type livePiece struct {
	text  []byte
	block *chunkBlock // holds text; nil if nothing else does
}

// liveWriter collects the pieces of a live manifest. Nil is one that keeps no blocks.
type liveWriter struct {
	blocks       *chunkBlocks
	presentation string
	text         liveText
	done         int // bytes of the writer that are in text
}

// open returns the known blocks of a stream.
func (l *liveWriter) open(s *Stream, repeats bool) *blockPass {
	if l == nil {
		return nil
	}
	return l.blocks.open(blockListKey{l.presentation, s.Name, repeats})
}

// insert puts a block after what w has written.
func (l *liveWriter) insert(w *manifestWriter, b *chunkBlock) {
	l.flush(w)
	l.text.add(livePiece{b.text, b})
}

// flush makes what w has written since the last block a piece.
func (l *liveWriter) flush(w *manifestWriter) {
	if len(w.b) > l.done {
		l.text.add(livePiece{text: w.b[l.done:len(w.b):len(w.b)]})
		l.done = len(w.b)
	}
}

func (t *liveText) add(p livePiece) {
	t.pieces = append(t.pieces, p)
	t.size += len(p.text)
}

// newLiveText writes a live manifest. It has the bytes of [Manifest.AppendXML].
func newLiveText(m *Manifest, opts *ManifestOptions, blocks *chunkBlocks, presentation string) (*liveText, error) {
	w := newManifestWriter(nil, m, opts)
	w.live = &liveWriter{blocks: blocks, presentation: presentation}
	w.root()
	if w.err != nil {
		return nil, w.err
	}
	w.live.flush(&w)
	return &w.live.text, nil
}

// plain returns the text in one piece.
func (t *liveText) plain() []byte {
	b := make([]byte, 0, t.size)
	for _, p := range t.pieces {
		b = append(b, p.text...)
	}
	return b
}

// withQuery returns the text with the query of one request. Blocks have no addresses.
func (t *liveText) withQuery(query string) *liveText {
	out := &liveText{pieces: make([]livePiece, 0, len(t.pieces))}
	for _, p := range t.pieces {
		if p.block == nil {
			p.text = withQuery(p.text, query)
		}
		out.add(p)
	}
	return out
}
