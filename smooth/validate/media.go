package validate

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"

	"github.com/smoothkit/smoothkit/smooth"
)

// Limits on media files.
const (
	maxFragments = 500_000
	maxIndexBox  = 64 << 20 // moov and mfra
)

// mediaFile is a fragmented MP4 file: its tracks and where their fragments are.
type mediaFile struct {
	rec  *Recorder
	opts Options
	name string // in reports
	r    io.ReaderAt
	size int64

	tracks map[uint32]*mediaTrack
	moofs  map[int64]*mediaFragment // by offset
	order  []int64                  // offsets of moof, ascending
	broken bool                     // a tfra is unreadable
}

// mediaTrack is a trak box.
type mediaTrack struct {
	id        uint32
	typ       smooth.StreamType // empty for others
	fourCC    string            // as in a manifest
	timescale uint64
	offset    int64 // of trak
	indexed   bool  // there is a tfra
	fragments int
}

// mediaFragment is a moof with its mdat.
type mediaFragment struct {
	track    uint32
	time     uint64 // from tfra, else from tfxd
	hasTime  bool
	indexed  bool
	samples  int
	duration uint64
	tfxd     uint64
	hasTfxd  bool
	unread   bool // too large
}

func (m *mediaFile) at(path string, offset int64) Place {
	return Place{Document: m.name, Box: path, Offset: offset}
}

// checkMedia records the violations of an .ismv, .isma or .ismt file. It returns nil if its structure is unknown. The
// error is one of reading.
func checkMedia(rec *Recorder, opts Options, name string, r io.ReaderAt, size int64) (*mediaFile, error) {
	m := &mediaFile{
		rec: rec, opts: opts, name: name, r: r, size: size,
		tracks: make(map[uint32]*mediaTrack), moofs: make(map[int64]*mediaFragment),
	}
	rec.Tally(func(n *Counts) { n.Documents++ })
	heads, err := m.topLevel()
	if err != nil || heads == nil {
		return nil, err
	}
	if ok, err := m.head(heads); err != nil || !ok {
		return nil, err
	}
	if err := m.fragments(heads); err != nil {
		return nil, err
	}
	if err := m.index(heads); err != nil {
		return nil, err
	}
	m.extension()
	return m, nil
}

// topBox is the header of a top-level box.
type topBox struct {
	typ          string
	offset, size int64
}

// topLevel walks the headers of the top-level boxes. It returns nil if a limit is exceeded or there is no box.
func (m *mediaFile) topLevel() ([]topBox, error) {
	var out []topBox
	for offset := int64(0); offset < m.size; {
		var head [16]byte
		n, err := m.r.ReadAt(head[:], offset)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("validate: %w", err)
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		switch {
		case n < 8:
			size = -1
		case size == 1 && n == 16:
			size = int64(binary.BigEndian.Uint64(head[8:]))
		case size == 0:
			size = m.size - offset
		}
		if size < 8 || size > m.size-offset {
			m.rec.Add("SI101", m.at(fmt.Sprintf("%q", head[4:8]), offset), "the size is %d, %d bytes are left", size, m.size-offset)
			break
		}
		if len(out) >= 2*maxFragments+16 {
			m.rec.Add("SI100", m.at("/", offset), "there are more than %d boxes", len(out))
			return nil, nil
		}
		out = append(out, topBox{string(head[4:8]), offset, size})
		offset += size
	}
	return out, nil
}

// read returns a whole box, or nil if it is larger than limit, which is reported.
func (m *mediaFile) read(b topBox, limit int64) ([]byte, error) {
	if b.size > limit {
		m.rec.Add("SI100", m.at(b.typ, b.offset), "the size is %d, the limit %d", b.size, limit)
		return nil, nil
	}
	data := make([]byte, b.size)
	if _, err := io.ReadFull(io.NewSectionReader(m.r, b.offset, b.size), data); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	return data, nil
}

// head checks ftyp and moov. It reports false if there is nothing to go on with.
func (m *mediaFile) head(heads []topBox) (bool, error) {
	moov, moof := -1, -1
	for i, b := range heads {
		switch {
		case b.typ == "moov" && moov >= 0:
			m.rec.Add("SI104", m.at("moov", b.offset), "there is a second moov")
		case b.typ == "moov":
			moov = i
		case b.typ == "moof" && moof < 0:
			moof = i
		}
	}
	if moof < 0 {
		m.rec.Add("SI120", m.at("/", 0), "there is no moof")
		return false, nil
	}
	if heads[0].typ != "ftyp" {
		m.rec.Add("SI102", m.at(heads[0].typ, 0), "the first box is %q", heads[0].typ)
	} else if data, err := m.read(heads[0], 4096); err != nil {
		return false, err
	} else if s := string(data); data != nil && !strings.Contains(s, "piff") && !strings.Contains(s, "isml") {
		m.rec.Add("SI103", m.at("ftyp", 0), "the brands are %q", s[min(8, len(s)):])
	}
	if moov < 0 || moov > moof {
		m.rec.Add("SI104", m.at("moov", 0), "there is none before the first moof")
		return false, nil
	}
	data, err := m.read(heads[moov], maxIndexBox)
	if err != nil || data == nil {
		return false, err
	}
	return m.moov(data, heads[moov].offset), nil
}

// fragments checks each moof with its mdat as a fragment.
func (m *mediaFile) fragments(heads []topBox) error {
	for i, b := range heads {
		if b.typ != "moof" {
			continue
		}
		if i+1 >= len(heads) || heads[i+1].typ != "mdat" {
			m.rec.Add("SI107", m.at("moof", b.offset), "the next box is no mdat")
			continue
		}
		whole := topBox{"moof", b.offset, b.size + heads[i+1].size}
		data, err := m.read(whole, m.opts.MaxFragmentSize)
		if err != nil {
			return err
		}
		if data == nil {
			m.moofs[b.offset] = &mediaFragment{unread: true}
			continue
		}
		m.fragment(data, b.offset)
	}
	return nil
}

func (m *mediaFile) fragment(data []byte, offset int64) {
	id, ok := trackOf(data)
	t := m.tracks[id]
	if ok && t == nil {
		m.rec.Add("SI117", m.at("moof/traf/tfhd", offset), "the track_ID is %d", id)
	}
	want := Expect{Name: m.name, Stored: true, Offset: offset}
	if t != nil {
		want.Type, want.FourCC, want.Timescale = t.typ, t.fourCC, t.timescale
		t.fragments++
	}
	f := checkFragment(m.rec, data, want)
	m.order = append(m.order, offset)
	m.moofs[offset] = &mediaFragment{
		track: id, samples: len(f.samples), duration: f.duration,
		tfxd: f.tfxd, hasTfxd: f.hasTfxd, time: f.tfxd, hasTime: f.hasTfxd,
	}
}

// trackOf returns the track_ID of the first traf.
func trackOf(fragment []byte) (uint32, bool) {
	path := fragment
	for _, typ := range []string{"moof", "traf", "tfhd"} {
		boxes, _ := splitBoxes(path, 0)
		found := ofType(boxes, typ)
		if len(found) == 0 {
			return 0, false
		}
		path = found[0].body
	}
	if len(path) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint32(path[4:]), true
}

// extension compares the file's name to its tracks.
func (m *mediaFile) extension() {
	have := make(map[smooth.StreamType]bool)
	for _, t := range m.tracks {
		have[t.typ] = true
	}
	want := ""
	switch {
	case have[smooth.Video]:
		want = ".ismv"
	case have[smooth.Audio]:
		want = ".isma"
	case have[smooth.Text]:
		want = ".ismt"
	}
	if ext := strings.ToLower(filepath.Ext(m.name)); want != "" && ext != want && ext != ".ismv" {
		m.rec.Add("SI119", Place{Document: m.name}, "the extension is %q, %q fits the tracks", ext, want)
	}
}

// sortedTracks returns the tracks in ascending order of id.
func (m *mediaFile) sortedTracks() []*mediaTrack {
	var out []*mediaTrack
	for _, t := range m.tracks {
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}
