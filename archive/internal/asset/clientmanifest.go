package asset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// ClientManifest returns the .ismc of a presentation whose .ism and media files are complete. It is made by opening the presentation
// with a [smooth.FileSource], and checked by opening it again with the result, so that what it lists is what will be served. An .ismc
// that lies there already does not count.
//
// A stream lists what any of its levels has, but for an end that not all have. A level that lacks more than one fragment in ten is left
// out; its fragments are served all the same to those who ask. Chunks last as long as their fragments say, so what was not recorded is a gap. Control streams
// have their data in the manifest.
//
// Errors are those of [smooth.FileSource].
func ClientManifest(ctx context.Context, files smooth.Files, ism string) ([]byte, error) {
	data, err := readAll(ctx, files, ism)
	if err != nil {
		return nil, fmt.Errorf("asset: %s: %w", ism, err)
	}
	return ClientManifestFor(ctx, files, ism, data)
}

// ClientManifestFor is [ClientManifest] for an .ism that has not been written yet, whose content is server.
func ClientManifestFor(ctx context.Context, files smooth.Files, ism string, server []byte) ([]byte, error) {
	b, err := newBuilder(ctx, files, ism, server)
	if err != nil {
		return nil, err
	}
	out, err := b.build()
	if err != nil {
		return nil, fmt.Errorf("asset: %w", err)
	}
	return out, nil
}

// Served reports whether a source of the files would serve the presentation as a client manifest says, which has not been written yet,
// nor the .ism whose content is server.
func Served(ctx context.Context, files smooth.Files, ism string, server, client []byte) bool {
	b, err := newBuilder(ctx, files, ism, server)
	return err == nil && b.accepted(client)
}

// builder makes one client manifest.
type builder struct {
	ctx    context.Context
	files  smooth.Files
	ism    string
	server *smooth.ServerManifest
}

func newBuilder(ctx context.Context, files smooth.Files, ism string, server []byte) (*builder, error) {
	m, err := smooth.ParseServerManifest(server)
	if err != nil {
		return nil, fmt.Errorf("asset: %s: %w", ism, err)
	}
	return &builder{ctx: ctx, files: files, ism: ism, server: m}, nil
}

func (b *builder) build() ([]byte, error) {
	whole, err := b.open(b.server, nil)
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	m := whole.manifest
	if !covers(m, b.server) {
		if joined := b.joined(); joined != nil {
			m = joined
		}
	}
	for _, candidate := range []*smooth.Manifest{m, whole.manifest} {
		b.complete(candidate)
		data, err := candidate.AppendXML(nil, nil)
		if err != nil {
			return nil, err
		}
		if b.accepted(data) {
			return data, nil
		}
	}
	return nil, fmt.Errorf("%s: the files do not have what they list: %w", b.ism, smooth.ErrCorrupt)
}

// accepted reports whether the presentation is served from a client manifest, rather than from a new one because that is stale.
func (b *builder) accepted(data []byte) bool {
	p, err := b.open(b.server, data)
	if err != nil {
		return false
	}
	defer p.Close()
	stored, ok := p.Presentation.(interface {
		ManifestBytes(context.Context) ([]byte, error)
	})
	if !ok {
		return false
	}
	got, err := stored.ManifestBytes(b.ctx)
	return err == nil && bytes.Equal(got, data)
}

// presentation is one that is open, with the source that it comes from and its manifest, which may be changed.
type presentation struct {
	smooth.Presentation
	source   *smooth.FileSource
	manifest *smooth.Manifest
}

// Close closes presentation and source.
func (p *presentation) Close() error { return errors.Join(p.Presentation.Close(), p.source.Close()) }

// open opens the presentation with another server manifest, and with a client manifest that may be nil.
func (b *builder) open(server *smooth.ServerManifest, client []byte) (*presentation, error) {
	shown := *server
	shown.Meta = slices.DeleteFunc(slices.Clone(server.Meta), func(a smooth.Attribute) bool {
		return strings.EqualFold(a.Name, "clientManifestRelativePath")
	})
	ism, err := shown.AppendXML(nil)
	if err != nil {
		return nil, err
	}
	src := smooth.NewFileSource(newOverlay(b.files, b.ism, ism, client), &smooth.FileOptions{Logger: slog.New(slog.DiscardHandler)})
	p, err := src.Open(b.ctx, b.ism)
	if err != nil {
		src.Close()
		return nil, err
	}
	out := &presentation{Presentation: p, source: src}
	s, err := p.Snapshot(b.ctx)
	if err != nil {
		out.Close()
		return nil, err
	}
	out.manifest = own(s.Manifest)
	if client == nil {
		out.measure(b.ctx)
	}
	return out, nil
}

// own returns a copy of a manifest whose streams and levels may be changed.
func own(m *smooth.Manifest) *smooth.Manifest {
	out := *m
	out.Streams = nil
	for _, st := range m.Streams {
		s := *st
		s.Timeline, s.Embedded, s.Levels = slices.Clone(st.Timeline), slices.Clone(st.Embedded), nil
		for _, lv := range st.Levels {
			l := *lv
			s.Levels = append(s.Levels, &l)
		}
		out.Streams = append(out.Streams, &s)
	}
	return &out
}

// covers reports whether each track of the server manifest is a level of the stream that it names.
func covers(m *smooth.Manifest, server *smooth.ServerManifest) bool {
	levels := 0
	for _, st := range m.Streams {
		levels += len(st.Levels)
	}
	named := make(map[string]int)
	for i := range server.Tracks {
		if name, _ := server.Tracks[i].Param("trackName"); name != "" {
			named[name]++
		}
	}
	for name, n := range named {
		if st := m.Stream(name); st == nil || len(st.Levels) < n {
			return false
		}
	}
	return levels == len(server.Tracks)
}

// readAll reads a server manifest.
func readAll(ctx context.Context, files smooth.Files, name string) ([]byte, error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > smooth.MaxServerManifest {
		return nil, fmt.Errorf("%d bytes, the limit is %d: %w", f.Size(), smooth.MaxServerManifest, smooth.ErrTooLarge)
	}
	data := make([]byte, f.Size())
	n, err := f.ReadAtContext(ctx, data, 0)
	if n < len(data) && (err == nil || errors.Is(err, io.EOF)) {
		err = io.ErrUnexpectedEOF
	}
	if n < len(data) {
		return nil, err
	}
	return data, nil
}
