package edit

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/archive/internal/asset"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/language"
	"github.com/smoothkit/smoothkit/smooth"
)

// syncBytes is how much of a file waits for the disk at most, so that the end of a large one does not take long.
const syncBytes = 64 << 20

// media is a file of one track that is being written.
type media struct {
	name    string // in the store
	id      uint32
	app     archive.Appender
	off     int64
	synced  int64
	entries []fmp4.TfraEntry
}

// create makes the file of a track, which keeps the track_ID of its fragments.
func (w *writing) create(ctx context.Context, s *stream, t *track, id uint32) error {
	header, err := w.header(s, t, id)
	if err != nil {
		return err
	}
	app, err := w.store.Append(ctx, w.path(t.file))
	if err != nil {
		return err
	}
	t.media = &media{name: w.path(t.file), id: id, app: app}
	w.media = append(w.media, t.media)
	return t.media.write(header)
}

// nameFiles gives each track a file that no other has, whatever the case of letters, and that does not exist yet.
func (w *writing) nameFiles(ctx context.Context) error {
	taken := make(map[string]bool)
	for _, s := range w.streams {
		for _, t := range s.tracks {
			base := fmt.Sprintf("%s_%s", w.name, s.from.Name)
			if t.key.Bitrate > 0 {
				base += fmt.Sprintf("_%d", t.key.Bitrate/1000)
			}
			kind := []smooth.InputTrack{{Stream: s.from}}
			t.file = asset.MediaName(base, kind)
			for n := 2; taken[strings.ToLower(t.file)]; n++ {
				t.file = asset.MediaName(fmt.Sprintf("%s_%d", base, n), kind)
			}
			taken[strings.ToLower(t.file)] = true
			if err := w.checkFree(ctx, t.file); err != nil {
				return err
			}
		}
	}
	return nil
}

// header returns ftyp and moov as IIS writes them, in the timescale of the stream, without durations: what comes is not known yet.
// See PIFF 1.1 chapter 5.
func (w *writing) header(s *stream, t *track, id uint32) ([]byte, error) {
	if t.codec == nil {
		c, err := smooth.CodecFromQualityLevel(s.from.Type, s.from, t.level)
		if err != nil && s.from.Type != smooth.Text {
			return nil, err
		}
		if t.codec = c; err != nil {
			t.codec = &smooth.Codec{Type: smooth.Text, FourCC: t.level.FourCC, PrivateData: t.level.CodecPrivateData}
		}
	}
	kind := map[smooth.StreamType]string{smooth.Video: "video", smooth.Audio: "audio", smooth.Text: "subtitle"}[s.from.Type]
	entry, err := t.codec.BuildSampleEntry()
	if err != nil && s.from.Type == smooth.Text { // cues and the like, which clients take as they are
		kind, entry, err = "meta", opaqueEntry(), nil
	}
	if err != nil {
		return nil, err
	}
	init := fmp4.InitSegment{
		Brand: "isml", Minor: 1, Compatible: []string{"piff", "iso2"}, TrackID: id, Timescale: uint32(s.timescale),
		Kind: kind, Language: language.ThreeLetters(s.from.Language), Width: t.codec.DisplayWidth, Height: t.codec.DisplayHeight, Entry: entry,
	}
	b, err := init.Encode()
	if err != nil {
		return nil, err
	}
	return appendProtection(b, w.protection())
}

// opaqueEntry returns a sample entry for what has none of its own. See ISO/IEC 14496-12 12.3.3.2.
//
//	mett: reserved:48 data_reference_index:16 content_encoding:string mime_format:string
func opaqueEntry() []byte {
	const format = "\x00application/octet-stream\x00"
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(format)))
	b = append(b, "mett\x00\x00\x00\x00\x00\x00\x00\x01"...)
	return append(b, format...)
}

// append writes a fragment whose head may be another than its own, and notes where it is.
func (m *media) append(head []byte, f *smooth.Fragment, time uint64) error {
	m.entries = append(m.entries, fmp4.TfraEntry{Time: time, Moof: uint64(m.off)})
	if err := m.write(head); err != nil {
		return err
	}
	n, err := f.WritePayload(m.app)
	m.off += n
	if err == nil && n != f.PayloadSize() {
		err = fmt.Errorf("%d of %d bytes: %w", n, f.PayloadSize(), io.ErrUnexpectedEOF)
	}
	if err != nil || m.off-m.synced < syncBytes {
		return err
	}
	m.synced = m.off
	return m.app.Sync()
}

func (m *media) write(b []byte) error {
	n, err := m.app.Write(b)
	m.off += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// finish writes the index and waits for the disk.
func (m *media) finish() error {
	if err := m.write(fmp4.AppendMfra(nil, []uint32{m.id}, [][]fmp4.TfraEntry{m.entries})); err != nil {
		return err
	}
	if err := m.app.Sync(); err != nil {
		return err
	}
	return m.close()
}

// close closes the file once.
func (m *media) close() error {
	app := m.app
	if m.app = nil; app == nil {
		return nil
	}
	return app.Close()
}
