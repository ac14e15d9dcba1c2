package smooth

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// liveBlockBytes bounds the blocks of live manifests that a handler keeps. Four hours of eight streams take 3 MB.
	liveBlockBytes = 64 << 20
	// staleBlocks is for how many blocks that a stream gains one is kept without being used: it has left the window, or
	// has been written in another way.
	staleBlocks = 4
)

// chunkBlock is what is written for the chunks of a block, in between the first and the last one of a stream. It is
// immutable but for its use.
type chunkBlock struct {
	chunks Timeline // a copy, to compare with
	text   []byte

	once     sync.Once
	deflated []byte // text as a part of a deflate stream, once made

	used atomic.Uint64 // the turn of the list when it was last used
}

// compressed returns the text as a part of a deflate stream.
func (b *chunkBlock) compressed() []byte {
	b.once.Do(func() { b.deflated = bytes.Clone(deflate(nil, b.text)) })
	return b.deflated
}

// size returns the memory that a block takes, with room for the compressed form.
func (b *chunkBlock) size() int { return 16*len(b.chunks) + 2*len(b.text) + 128 }

func compareBlocks(a, b *chunkBlock) int { return cmp.Compare(a.chunks[0].Time, b.chunks[0].Time) }

// chunkBlocks keeps the blocks of live manifests, so that the next one is made of them. They are found by the first time
// and then compared, chunk by chunk, so nothing is taken on trust. It is safe for concurrent use.
type chunkBlocks struct {
	mu     sync.Mutex // guards the fields below
	lists  map[blockListKey]*list.Element
	recent list.List // of *blockList, the most recently used first
	bytes  int
}

// blockListKey names the blocks of a stream. All filtered views of a presentation share them.
type blockListKey struct {
	presentation, stream string
	repeats              bool
}

// blockList are the blocks of a stream. It is immutable and replaced when the stream gains a block.
type blockList struct {
	key    blockListKey
	blocks []*chunkBlock // in ascending order of time
	turn   uint64        // counts the versions of the list
	bytes  int
}

func newChunkBlocks() *chunkBlocks { return &chunkBlocks{lists: make(map[blockListKey]*list.Element)} }

// blockPass is one writing of a stream. Nil knows no blocks.
type blockPass struct {
	home  *chunkBlocks
	known *blockList
	news  []*chunkBlock
}

// open begins the writing of a stream.
func (c *chunkBlocks) open(key blockListKey) *blockPass {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &blockPass{home: c, known: &blockList{key: key}}
	if el, ok := c.lists[key]; ok {
		c.recent.MoveToFront(el)
		p.known = el.Value.(*blockList)
	}
	return p
}

// take returns the block of exactly these chunks, if it is an inner one and known.
func (p *blockPass) take(chunks Timeline, inner bool) *chunkBlock {
	if p == nil || !inner {
		return nil
	}
	i, ok := slices.BinarySearchFunc(p.known.blocks, chunks[0].Time, func(b *chunkBlock, t uint64) int {
		return cmp.Compare(b.chunks[0].Time, t)
	})
	if !ok || !slices.Equal(p.known.blocks[i].chunks, chunks) {
		return nil
	}
	b := p.known.blocks[i]
	b.used.Store(p.known.turn)
	return b
}

// add keeps a new block. It copies what it gets.
func (p *blockPass) add(chunks Timeline, text []byte) *chunkBlock {
	b := &chunkBlock{chunks: slices.Clone(chunks), text: bytes.Clone(text)}
	p.news = append(p.news, b)
	return b
}

// close ends the writing of a stream.
func (p *blockPass) close() {
	if p != nil && len(p.news) > 0 {
		p.home.put(p.known.key, p.news)
	}
}

// put adds blocks to those of a stream and drops those that nobody has used for long.
func (c *chunkBlocks) put(key blockListKey, news []*chunkBlock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := &blockList{key: key, blocks: news}
	if el, ok := c.lists[key]; ok {
		old := c.remove(el)
		next.turn = old.turn + 1
		for _, b := range old.blocks {
			if _, replaced := slices.BinarySearchFunc(news, b, compareBlocks); !replaced && b.used.Load()+staleBlocks >= next.turn {
				next.blocks = append(next.blocks, b)
			}
		}
		slices.SortFunc(next.blocks, compareBlocks)
	}
	for _, b := range next.blocks {
		next.bytes += b.size()
	}
	for _, b := range news {
		b.used.Store(next.turn)
	}
	c.lists[key] = c.recent.PushFront(next)
	for c.bytes += next.bytes; c.bytes > liveBlockBytes; {
		c.remove(c.recent.Back())
	}
}

// remove forgets the blocks of a stream. mu must be held.
func (c *chunkBlocks) remove(el *list.Element) *blockList {
	l := c.recent.Remove(el).(*blockList)
	delete(c.lists, l.key)
	c.bytes -= l.bytes
	return l
}
