package hls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

const (
	// stateFile is the name of what a further run needs to know.
	stateFile = ".segmenter.json"
	// maxState bounds its size in bytes.
	maxState = 64 << 20
	// saveBytes is how much is made before the state is written again.
	saveBytes = 64 << 20
	// segmenterRevision is part of what two runs have to have in common. It changes when the bytes of segments do.
	segmenterRevision = 1
)

// resumeState is what is known of the files that are there. It is stored as JSON.
type resumeState struct {
	// Content is a hash of all that the bytes of the files depend on.
	Content string `json:"content"`
	// Files that are whole, by name.
	Files map[string]madeFile `json:"files"`

	mu     sync.Mutex // guards Files and the fields below
	fresh  int64      // bytes made since the state was written
	size   int64      // of the state when it was written
	saving sync.Mutex // held while the state is written
}

// resume reads what an earlier run has left, or clears it away.
func (s *segmentation) resume(ctx context.Context) error {
	s.state = &resumeState{Content: s.contentHash(ctx), Files: make(map[string]madeFile)}
	r, ok := s.sink.(Resumer)
	if !ok {
		return nil
	}
	old, err := readState(ctx, r)
	if err != nil {
		return err
	}
	if s.opts.StartOver || old == nil || s.state.Content == "" || old.Content != s.state.Content {
		return clearFiles(ctx, r, old)
	}
	for name, made := range old.Files {
		if !isOurs(name) || !made.plausible() {
			continue
		}
		if size, err := r.Stat(ctx, name); err == nil && size == made.Size {
			s.state.Files[name] = made
		}
	}
	return ctx.Err()
}

// isOurs reports whether a name in a state may be that of a file that a segmenter has made: nothing else is asked of a sink,
// let alone removed.
func isOurs(name string) bool {
	switch path.Ext(name) {
	case ".m3u8", ".ts", ".mp4", ".m4s", ".vtt", ".key":
		return fs.ValidPath(name) && strings.Trim(name, sinkCharacters) == ""
	}
	return false
}

// sinkCharacters are those of which names consist, see [Sink].
const sinkCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_/"

// plausible reports whether a segment may be like that.
func (m *madeFile) plausible() bool {
	for i := 0; i+1 < len(m.Frames); i += 2 {
		if offset, size := m.Frames[i], m.Frames[i+1]; offset < 0 || size < 1 || size > m.Size || offset > m.Size-size {
			return false
		}
	}
	return m.Size > 0 && len(m.Frames)%2 == 0
}

// readState returns the state that an earlier run has left, or nil if there is none that can be understood.
func readState(ctx context.Context, r Resumer) (*resumeState, error) {
	data, err := r.ReadFile(ctx, stateFile, maxState+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	old := new(resumeState)
	if len(data) > maxState || json.Unmarshal(data, old) != nil {
		return nil, nil
	}
	return old, nil
}

// clearFiles removes the master playlist and then what else a state knows of, so that nobody is led to a mixture of two
// runs, and nothing of the earlier one stays behind.
func clearFiles(ctx context.Context, r Resumer, old *resumeState) error {
	remove := func(name string) error {
		if err := r.Remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return ctx.Err()
	}
	if err := remove(masterFile); err != nil || old == nil {
		return err
	}
	for name := range old.Files {
		if !isOurs(name) {
			continue
		}
		if err := remove(name); err != nil {
			return err
		}
	}
	return nil
}

// contentHash returns a hash of all that the bytes of the segments depend on, or "" if that is not known.
func (s *segmentation) contentHash(ctx context.Context) string {
	h := sha256.New()
	fmt.Fprintln(h, segmenterRevision, s.show.layout, s.opts.SegmentDuration, s.opts.WriteKeys)
	for i := range s.inputs {
		snap, err := s.inputs[i].p.Snapshot(ctx)
		if err != nil || snap.Validator == "" {
			return ""
		}
		fmt.Fprintf(h, "%q %q\n", s.inputs[i].name, snap.Validator)
	}
	for i := range s.jobs {
		j := &s.jobs[i]
		g := &j.t.list[j.i]
		fmt.Fprintf(h, "%q %+v %d %d\n", j.name, j.t.r.key(g.start), g.number, g.count)
	}
	if p := s.out.protect; p != nil {
		fmt.Fprintln(h, p.method, p.rotate, p.uri, p.periodIV(0) != nil)
		for _, t := range s.tracks { // the first key stands for all: a source of keys gives the same for ever
			if len(t.list) == 0 {
				continue
			}
			key, iv, err := p.segmentKey(ctx, t.input, t.list[0].number)
			if err != nil {
				return ""
			}
			h.Write(key[:])
			h.Write(iv[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// done notes a file and writes the state if enough has been made since the last time.
func (s *segmentation) done(ctx context.Context, name string, made madeFile) error {
	st := s.state
	st.mu.Lock()
	st.Files[name] = made
	st.fresh += made.Size
	due := st.fresh >= max(saveBytes, 32*st.size)
	if due {
		st.fresh = 0
	}
	st.mu.Unlock()
	if !due {
		return nil
	}
	return s.saveState(ctx)
}

// saveState writes the state, to a sink that can read it again. What is not whole is not in it.
func (s *segmentation) saveState(ctx context.Context) error {
	if _, ok := s.sink.(Resumer); !ok {
		return nil
	}
	st := s.state
	st.saving.Lock()
	defer st.saving.Unlock()
	st.mu.Lock()
	data, err := json.Marshal(st)
	st.size = int64(len(data))
	st.mu.Unlock()
	if err != nil {
		return fmt.Errorf("hls: %s: %w", stateFile, err)
	}
	_, err = s.put(ctx, stateFile, data)
	return err
}

// put writes a small file, unless it is there already with the same content. It returns whether it was written.
func (s *segmentation) put(ctx context.Context, name string, data []byte) (bool, error) {
	if r, ok := s.sink.(Resumer); ok {
		if size, err := r.Stat(ctx, name); err == nil && size == int64(len(data)) {
			if old, err := r.ReadFile(ctx, name, size); err == nil && bytes.Equal(old, data) {
				return false, nil
			}
		}
	}
	f, err := s.sink.Create(ctx, name)
	if err != nil {
		return false, err
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return false, fmt.Errorf("hls: %s: %w", name, err)
	}
	if err := f.Commit(); err != nil {
		return false, fmt.Errorf("hls: %s: %w", name, err)
	}
	return true, nil
}
