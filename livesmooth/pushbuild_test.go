package livesmooth

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// Boxes for tests of the push reader, built by hand.

func push32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func push64(v ...uint64) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b
}

func pushBox(typ string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(push32(uint32(8+len(body))), typ...), body...)
}

func pushUUID(id fmp4.UUID, version byte, parts ...[]byte) []byte {
	return pushBox("uuid", id[:], []byte{version, 0, 0, 0}, bytes.Join(parts, nil))
}

func pushFtyp() []byte { return []byte(liveFtyp) }

func pushStyp(brands ...string) []byte {
	b := append([]byte(brands[0]), 0, 0, 0, 0)
	for _, x := range brands {
		b = append(b, x...)
	}
	return pushBox("styp", b)
}

func pushSMIL(tracks string) []byte {
	return pushUUID(fmp4.UUIDLiveServerManifest, 1, []byte(`<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head/><body><switch>`+
		tracks+`</switch></body></smil>`))
}

// pushTrak describes a track of a moov box.
type pushTrak struct {
	id        uint32
	media     string // video, audio, subtitle, meta
	timescale uint32
	language  string
	entry     []byte
	edit      int64 // media time of the edit list
	defaults  fmp4.Defaults
}

func pushMoov(t testing.TB, tracks ...pushTrak) []byte {
	t.Helper()
	init := mp4.CreateEmptyInit()
	for i, tr := range tracks {
		if tr.timescale == 0 {
			tr.timescale = scale
		}
		if tr.language == "" {
			tr.language = "und"
		}
		trak := init.AddEmptyTrack(tr.timescale, tr.media, tr.language)
		trak.Tkhd.TrackID = tr.id
		x := init.Moov.Mvex.Trexs[i]
		x.TrackID, x.DefaultSampleDuration, x.DefaultSampleSize, x.DefaultSampleFlags = tr.id, tr.defaults.Duration, tr.defaults.Size, tr.defaults.Flags
		stsd := append(push32(0, 1), tr.entry...)
		trak.Mdia.Minf.Stbl.Children[0] = mp4.CreateUnknownBox("stsd", uint64(8+len(stsd)), stsd)
		if tr.edit != 0 {
			edts := &mp4.EdtsBox{}
			edts.AddChild(&mp4.ElstBox{Entries: []mp4.ElstEntry{{MediaTime: tr.edit, MediaRateInteger: 1}}})
			trak.AddChild(edts)
		}
	}
	b, err := fmp4.EncodeBox(init.Moov)
	require.NoError(t, err)
	return b
}

// pushEntry returns the sample entry of the first track of a recording.
func pushEntry(t testing.TB, name string) []byte {
	t.Helper()
	s := pushReadAll(t, bytes.NewReader(pushRecording(t, name)), pushReaderConfig{})
	require.NotEmpty(t, s.headers)
	return s.headers[0].tracks[0].codec.SampleEntry
}

// pushVideo and pushAudio describe tracks with sample entries that ffmpeg wrote. They state the bit rate in btrt.
func pushVideo(t testing.TB, id uint32) pushTrak {
	return pushTrak{id: id, media: "video", entry: pushEntry(t, "dash-video.m4s")}
}

func pushAudio(t testing.TB, id uint32) pushTrak {
	return pushTrak{id: id, media: "audio", entry: pushEntry(t, "dash-audio.m4s")}
}

// pushTraf is a traf box: flags and further fields of tfhd, what stands before the runs, the runs.
type pushTraf struct {
	id     uint32
	flags  uint32
	fields []byte
	boxes  [][]byte
	runs   []pushRun
	after  [][]byte
}

// pushRun is a trun box. offset counts from the start of the sample data; with none the flag is not set.
type pushRun struct {
	flags   uint32
	none    bool
	offset  int
	first   []byte // first_sample_flags
	count   uint32
	entries []byte
}

// pushMoof returns moof and mdat. base is the distance from what data offsets count from to the moof box.
func pushMoof(base int, payload []byte, trafs ...pushTraf) []byte {
	build := func(data int) []byte {
		parts := [][]byte{pushBox("mfhd", push32(0, 7))}
		for _, tr := range trafs {
			inside := append([][]byte{pushBox("tfhd", push32(tr.flags, tr.id), tr.fields)}, tr.boxes...)
			for _, r := range tr.runs {
				var offset []byte
				if !r.none {
					r.flags |= 1
					offset = push32(uint32(data + r.offset))
				}
				inside = append(inside, pushBox("trun", push32(r.flags, r.count), offset, r.first, r.entries))
			}
			parts = append(parts, pushBox("traf", append(inside, tr.after...)...))
		}
		return pushBox("moof", parts...)
	}
	return append(build(len(build(0))+8+base), pushBox("mdat", payload)...)
}

func pushTfdt(v uint64) []byte { return pushBox("tfdt", push32(1<<24), push64(v)) }

func pushTfxdBox(time int64, duration uint64) []byte {
	return pushUUID(fmp4.UUIDTfxd, 1, push64(uint64(time), duration))
}
