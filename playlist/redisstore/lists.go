package redisstore

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/smoothkit/smoothkit/playlist"
)

const (
	// maxListBytes is the largest version of a playlist that is kept, as JSON.
	maxListBytes = 32 << 20
	// compressFrom is the size of JSON from which on it is compressed.
	compressFrom = 1 << 10
	// maxCacheBytes is what the versions that this server has seen last may take in its memory.
	maxCacheBytes = 32 << 20
)

// The first byte of a list says what follows.
const (
	plainJSON    = 1
	deflatedJSON = 2 // RFC 1951
)

// listJSON is a playlist in JSON. Sources are base64: paths need not be UTF-8, which JSON is.
type listJSON struct {
	*playlist.Playlist
	Entries []entryJSON
}

type entryJSON struct {
	*playlist.Entry
	Src []byte
}

// PutList implements [playlist.Store]. A version that Redis has is not sent again.
func (s *Store) PutList(ctx context.Context, version string, p *playlist.Playlist, life time.Duration) error {
	if life <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	key, ms := s.listKey(version), atLeastOne(life)
	found, err := renewScript.Run(ctx, s.client, []string{key}, ms).Int()
	if err != nil {
		return fmt.Errorf("redisstore: put list: %w", err)
	}
	s.cache.put(version, p)
	if found == 1 {
		return nil
	}
	data, err := encodeList(p)
	if err != nil {
		return fmt.Errorf("redisstore: put list: %w", err)
	}
	if err := s.client.Set(ctx, key, data, time.Duration(ms)*time.Millisecond).Err(); err != nil {
		return fmt.Errorf("redisstore: put list: %w", err)
	}
	return nil
}

// List implements [playlist.Store]. It asks Redis for versions that this server has not seen lately.
func (s *Store) List(ctx context.Context, version string) (*playlist.Playlist, error) {
	if p := s.cache.get(version); p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	data, err := s.client.Get(ctx, s.listKey(version)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("redisstore: read list: %w", err)
	}
	p, err := decodeList(data)
	if err != nil {
		return nil, fmt.Errorf("redisstore: read list: %w", err)
	}
	s.cache.put(version, p)
	return p, nil
}

func (s *Store) listKey(version string) string { return s.opts.Prefix + "list:" + version }

func encodeList(p *playlist.Playlist) ([]byte, error) {
	list := listJSON{Playlist: p, Entries: make([]entryJSON, len(p.Entries))}
	for i := range p.Entries {
		list.Entries[i] = entryJSON{Entry: &p.Entries[i], Src: []byte(p.Entries[i].Src)}
	}
	plain := bytes.NewBuffer([]byte{plainJSON})
	enc := json.NewEncoder(plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(list); err != nil {
		return nil, err
	}
	if plain.Len() > maxListBytes {
		return nil, fmt.Errorf("list of %d bytes, at most %d", plain.Len(), maxListBytes)
	}
	if plain.Len() < compressFrom {
		return plain.Bytes(), nil
	}
	small := bytes.NewBuffer([]byte{deflatedJSON})
	w, err := flate.NewWriter(small, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain.Bytes()[1:]); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return small.Bytes(), nil
}

func decodeList(data []byte) (*playlist.Playlist, error) {
	if len(data) == 0 {
		return nil, errors.New("list of 0 bytes")
	}
	var body io.Reader = bytes.NewReader(data[1:])
	switch data[0] {
	case plainJSON:
	case deflatedJSON:
		body = flate.NewReader(body)
	default:
		return nil, fmt.Errorf("list of form %d", data[0])
	}
	plain, err := io.ReadAll(io.LimitReader(body, maxListBytes+1))
	if err != nil {
		return nil, fmt.Errorf("list of %d bytes: %w", len(data), err)
	}
	if len(plain) > maxListBytes {
		return nil, fmt.Errorf("list of more than %d bytes", maxListBytes)
	}
	list := listJSON{Playlist: new(playlist.Playlist)}
	if err := json.Unmarshal(plain, &list); err != nil {
		return nil, fmt.Errorf("list of %d bytes: %w", len(data), err)
	}
	if list.Playlist == nil {
		return nil, errors.New("list of nothing")
	}
	p := *list.Playlist
	for i := range list.Entries {
		e := &list.Entries[i]
		if e.Entry == nil {
			e.Entry = new(playlist.Entry)
		}
		e.Entry.Src = string(e.Src)
		p.Entries = append(p.Entries, *e.Entry)
	}
	return &p, nil
}

// listCache has the versions of playlists that were put or asked for last. What is in it does not change: a version is
// the digest of a content.
type listCache struct {
	mu    sync.Mutex
	lists map[string]*playlist.Playlist
	order []string // as they came
	bytes int
}

func (c *listCache) get(version string) *playlist.Playlist {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lists[version]
}

func (c *listCache) put(version string, p *playlist.Playlist) {
	size := sizeOf(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists[version] != nil || size > maxCacheBytes {
		return
	}
	for c.bytes+size > maxCacheBytes {
		first := c.order[0]
		c.order = c.order[1:]
		c.bytes -= sizeOf(c.lists[first])
		delete(c.lists, first)
	}
	if c.lists == nil {
		c.lists = make(map[string]*playlist.Playlist)
	}
	c.lists[version] = p
	c.order = append(c.order, version)
	c.bytes += size
}

// sizeOf returns about how much memory a playlist takes, in bytes.
func sizeOf(p *playlist.Playlist) int {
	n := 512 + len(p.Title) + len(p.Description) + len(p.ExtraParam)
	for i := range p.Entries {
		e := &p.Entries[i]
		n += 128 + len(e.Src) + len(e.Title) + len(e.ExtraParam) + len(e.Role)
	}
	for _, w := range p.Warnings {
		n += 32 + len(w.Text)
	}
	return n
}
