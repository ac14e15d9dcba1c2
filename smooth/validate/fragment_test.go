package validate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

const ttmlDoc = `<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="0s" end="1s">hi</p></div></body></tt>`

// liveStart is a start time as wall-clock live presentations have.
const liveStart = 1236046960307666

// fragmentBase is a fragment without a violation and what is expected of it.
type fragmentBase struct {
	spec func() *spec
	want validate.Expect
}

func expect(typ smooth.StreamType, fourCC string, time, duration uint64) validate.Expect {
	return validate.Expect{Type: typ, FourCC: fourCC, Chunk: smooth.Chunk{Time: time, Duration: duration}, HasChunk: true}
}

func fragmentBases() map[string]fragmentBase {
	liveWant := expect(smooth.Video, "H264", liveStart, 20000000)
	liveWant.Live, liveWant.Lookahead = true, 2
	liveWant.Next = []smooth.Chunk{{Time: liveStart + 20000000, Duration: 20000000}}
	return map[string]fragmentBase{
		"video": {func() *spec { return videoSpec(40000000) }, expect(smooth.Video, "H264", 40000000, 20000000)},
		"audio": {func() *spec { return audioSpec(40000000, 20000000) }, expect(smooth.Audio, "AACL", 40000000, 20000000)},
		"text":  {func() *spec { return textSpec(0, 80000000, ttmlDoc) }, expect(smooth.Text, "TTML", 0, 80000000)},
		"hevc":  {hevcSpec, expect(smooth.Video, "hev1", 40000000, 20000000)},
		"live":  {liveSpec, liveWant},
		"senc":  {encryptedSpec, expect(smooth.Video, "H264", 40000000, 20000000)},
	}
}

func hevcSpec() *spec {
	s := videoSpec(40000000)
	s.tfhdFlags, s.tfhdFields = 0x20020, u32(deltaFlags)
	s.before = [][]byte{atom("tfdt", vf(1, 0), u64(40000000))}
	s.order = []string{"tfhd", "", "trun", "sdtp"}
	for i := range s.samples {
		nal := []byte{1 << 1, 1, 0x80}
		if i == 0 {
			nal = []byte{19 << 1, 1, 0x80}
		}
		s.samples[i] = newSample(2000000, s.samples[i].flags, nalus(nal))
	}
	return s
}

func tfrfBox(version uint32, entries ...uint64) []byte {
	return atom("uuid", []byte(tfrfUUID), vf(version, 0), u8(byte(len(entries)/2)), u64(entries...))
}

func liveSpec() *spec {
	s := videoSpec(40000000)
	s.time = liveStart
	s.after = [][]byte{tfrfBox(1, liveStart+20000000, 20000000, liveStart+40000000, 20000000)}
	return s
}

// senc returns a PIFF sample encryption box with one sub-sample per entry, whose clear part is of that length.
func senc(flags uint32, override []byte, samples []sample, clear uint16) []byte {
	body := concat([]byte(sencUUID), vf(0, flags), override, u32(uint32(len(samples))))
	for _, s := range samples {
		body = append(body, 0, 0, 0, 0, 0, 0, 0, 1)
		body = append(body, u16(1)...)
		body = append(body, u16(clear)...)
		body = append(body, u32(s.size-5)...)
	}
	return atom("uuid", body)
}

func encryptedSpec() *spec {
	s := videoSpec(40000000)
	override := concat(u32(1<<8|8), make([]byte, 16))
	s.after = [][]byte{senc(3, override, s.samples, 5)}
	before := 8 + 16 + 8 + 20 + 140 + 22 + 44 // moof, mfhd, traf, tfhd, trun, sdtp, tfxd
	entries := uint32(before + 24 + 4 + 20 + 4)
	s.after = append(s.after, saiz(10, 16), atom("saio", vf(0, 0), u32(1), u32(entries)))
	return s
}

func saiz(count uint32, size byte) []byte { return atom("saiz", vf(0, 0), u8(size), u32(count)) }

type fragmentFixture struct {
	rule, base string
	change     func(*spec)
}

func fragmentFixtures() []fragmentFixture {
	shrink := func(i int) func(*spec) { // the size of one sample is one too small
		return func(s *spec) { s.samples[i].size-- }
	}
	after := func(b ...[]byte) func(*spec) { return func(s *spec) { s.after = b } }
	return []fragmentFixture{
		{"SF101", "video", func(s *spec) { s.tail = []byte{0, 0, 0} }},
		{"SF101", "video", func(s *spec) { s.tail = append(u32(100), "free"...) }},
		{"SF101", "video", func(s *spec) { s.moofTail = []byte{0, 0, 0, 4, 'f', 'r', 'e', 'e'} }},
		{"SF101", "video", func(s *spec) { s.brokenTraf = true }},
		{"SF101", "video", func(s *spec) { s.moofTail = bytes.Repeat(atom("free"), 10_001) }},
		{"SF102", "video", func(s *spec) { s.middle = atom("free") }},
		{"SF102", "video", func(s *spec) { s.tail = atom("moof") }},
		{"SF103", "video", func(s *spec) { s.wideMdat, s.offset = true, 0 }},
		{"SF104", "video", func(s *spec) { s.mfhd = atom("free") }},
		{"SF105", "video", func(s *spec) { s.moofTail = atom("traf") }},
		{"SF106", "video", func(s *spec) { s.order = []string{"trun", "sdtp", "tfxd"} }},
		{"SF107", "video", func(s *spec) { s.order = []string{"tfhd", "trun", "trun", "sdtp", "tfxd"} }},
		{"SF108", "video", func(s *spec) { s.order = []string{"tfhd", "tfxd", "trun", "sdtp"} }},
		{"SF108", "video", func(s *spec) { s.order = []string{"trun", "tfhd", "sdtp", "tfxd"} }},
		{"SF109", "video", func(s *spec) { s.mfhd = atom("mfhd", vf(1, 0), u32(3)) }},
		{"SF109", "video", func(s *spec) { s.mfhd = atom("mfhd", vf(0, 0)) }},
		{"SF110", "video", func(s *spec) { s.tfhdFlags, s.tfhdFields = 0x28, u32(0) }},
		{"SF110", "video", func(s *spec) { s.tfhdFlags, s.tfhdFields, s.track = 0x20000, u32(0), 1 }},
		{"SF111", "video", func(s *spec) { s.tfhdFlags, s.tfhdFields = 0x21, concat(u64(100), u32(deltaFlags)) }},
		{"SF112", "video", func(s *spec) { s.tfhdFlags, s.tfhdFields = 0x10, u32(1) }},
		{"SF113", "video", func(s *spec) { s.tfhdFlags, s.tfhdFields = 0x02, u32(1) }},
		{"SF114", "hevc", func(s *spec) { s.tfhdFlags = 0x20 }},
		{"SF115", "video", func(s *spec) { s.count = 1 }},
		{"SF115", "video", func(s *spec) { s.rawEntries = []byte{0} }},
		{"SF116", "video", func(s *spec) { s.trunVer, s.trunFlags, s.samples[3].cts = 1, 0xF01, -1 }},
		{"SF115", "hevc", func(s *spec) { s.trunVer = 2 }},
		{"SF117", "video", func(s *spec) { s.trunFlags = 0x700 }},
		{"SF118", "video", func(s *spec) { s.offset = -8 }},
		{"SF119", "audio", func(s *spec) { s.samples = nil }},
		{"SF120", "video", func(s *spec) { s.trunFlags = 0x601 }},
		{"SF121", "video", func(s *spec) { s.mdatTail = []byte{0} }},
		{"SF121", "audio", shrink(3)},
		{"SF122", "video", func(s *spec) { s.samples[2].duration += 2000001 + 2000001 }},
		{"SF131", "video", func(s *spec) { s.order = []string{"tfhd", "trun", "sdtp"} }},
		{"SF132", "video", func(s *spec) { s.tfxd = atom("uuid", []byte(tfxdUUID), vf(0, 0), u64(40000000, 20000000)) }},
		{"SF133", "video", func(s *spec) { s.tfxd = tfxdBox(40000001, 20000000) }},
		{"SF134", "video", func(s *spec) { s.tfxd = tfxdBox(40000000, 20000001) }},
		{"SF135", "video", func(s *spec) { s.before = [][]byte{atom("tfdt", vf(1, 0), u64(40000000))} }},
		{"SF136", "hevc", func(s *spec) { s.before = [][]byte{atom("tfdt", vf(1, 0), u64(0))} }},
		{"SF137", "live", func(s *spec) { s.order = []string{"tfhd", "trun", "sdtp"} }},
		{"SF141", "live", after(atom("uuid", []byte(tfrfUUID), vf(0, 0), u8(1), u64(liveStart+20000000, 20000000)))},
		{"SF142", "live", after(tfrfBox(1, liveStart+20000001, 20000000))},
		{"SF143", "live", after()},
		{"SF144", "live", after(tfrfBox(1, liveStart+20000000, 20000000, 1, 1, 2, 2))},
		{"SF151", "video", func(s *spec) { s.samples[0].flags = deltaFlags }},
		{"SF152", "video", func(s *spec) { s.sdtp = 1 }},
		{"SF154", "video", func(s *spec) { s.samples[1].data[3]++ }},
		{"SF154", "video", func(s *spec) { s.samples[1].size--; s.samples[2].size++ }},
		{"SF155", "video", func(s *spec) { s.samples[0].data[10] = 0x41 }},
		{"SF155", "hevc", func(s *spec) { s.samples[0].data[4] = 1 << 1 }},
		{"SF156", "video", func(s *spec) { s.samples[5].data[10] = 0x65 }},
		{"SF157", "video", func(s *spec) { s.samples[5].flags = keyFlags }},
		{"SF158", "video", func(s *spec) {
			sei := []byte{0x06, 5, 1, 0, 6, 1, 0xC4, 0x80} // user data, then the recovery point
			s.samples[0].data = concat(u32(uint32(len(sei))), sei, u32(4), []byte{0x41, 1, 2, 3})
			s.samples[0].size = uint32(len(s.samples[0].data))
		}},
		{"SF161", "senc", func(s *spec) { s.after[0] = append(u32(uint32(len(s.after[0])+1)), append(s.after[0][4:], 0)...) }},
		{"SF162", "senc", func(s *spec) { s.after = [][]byte{senc(3, concat(u32(1<<8|8), make([]byte, 16)), s.samples[1:], 5)} }},
		{"SF163", "senc", func(s *spec) { s.after[0] = senc(3, concat(u32(1<<8|8), make([]byte, 16)), s.samples, 6) }},
		{"SF164", "senc", func(s *spec) { s.after[1] = saiz(10, 8) }},
		{"SF164", "senc", func(s *spec) { s.after[1] = saiz(9, 16) }},
		{"SF165", "senc", func(s *spec) { s.after[2] = atom("saio", vf(0, 0), u32(1), u32(0)) }},
		{"SF171", "text", func(s *spec) { s.samples[0] = newSample(80000000, keyFlags, []byte(ttmlDoc[:len(ttmlDoc)-3])) }},
		{"SF173", "text", func(s *spec) {
			s.samples[0] = newSample(80000000, keyFlags, []byte(strings.Replace(ttmlDoc, `"0s"`, `"00:00:08.000"`, 1)))
		}},
		{"SF173", "text", func(s *spec) {
			s.samples[0] = newSample(80000000, keyFlags, []byte(strings.Replace(ttmlDoc, `"0s"`, `"9000ms"`, 1)))
		}},
		{"SF172", "text", func(s *spec) { s.samples = append(s.samples, newSample(1, keyFlags, []byte("<tt/>"))) }},
	}
}

func TestFragmentBasesAreClean(t *testing.T) {
	for name, b := range fragmentBases() {
		assert.Empty(t, validate.Fragment(b.spec().build(), b.want, nil).Violations, name)
	}
}

func TestFragmentRules(t *testing.T) {
	for _, f := range fragmentFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			base := fragmentBases()[f.base]
			s := base.spec()
			f.change(s)
			r := validate.Fragment(s.build(), base.want, nil)
			require.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
		})
	}
}

// TestFragmentTruncated cuts a fragment at every byte.
func TestFragmentTruncated(t *testing.T) {
	for name, b := range fragmentBases() {
		whole := b.spec().build()
		for n := range len(whole) {
			r := validate.Fragment(whole[:n], b.want, nil)
			require.NotZero(t, r.Errors(), "%s cut at byte %d of %d", name, n, len(whole))
		}
	}
}

// TestFragmentsFromServers checks answers recorded from real servers: their only fault is the missing tfxd.
func TestFragmentsFromServers(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/smooth/fragments/rx-player")
	files, err := filepath.Glob(filepath.Join(dir, "*.mp4"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		want := validate.Expect{Name: filepath.Base(name), Type: smooth.Audio, FourCC: "AACL"}
		if filepath.Base(name)[0] != 'F' {
			want.Type, want.FourCC = smooth.Video, "H264"
		}
		assert.Equal(t, []string{"SF131"}, rulesOf(validate.Fragment(data, want, nil)), name)
	}
}

// TestSecondOpinion compares the number of samples to what an independent reader finds.
func TestSecondOpinion(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/smooth")
	for _, pattern := range []string{"fragments/rx-player/*.mp4", "package-bbb/*.ismv", "package-bbb/*.isma", "piff/mp4ff-bbb5s_aac.isma"} {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, name := range files {
			file, err := mp4.ReadMP4File(name)
			require.NoError(t, err)
			want := 0
			for _, seg := range file.Segments {
				for _, frag := range seg.Fragments {
					want += int(frag.Moof.Traf.Trun.SampleCount())
				}
			}
			r, err := validate.File(context.Background(), name, nil)
			require.NoError(t, err)
			assert.Equal(t, want, r.Checked.Samples, name)
			assert.NotZero(t, want)
		}
	}
}

// TestFragmentOfLiveServer checks a live fragment recorded from a server that added the tfrf (61 bytes) without
// correcting the data offset, and whose encoder marks pictures of open groups as sync samples.
func TestFragmentOfLiveServer(t *testing.T) {
	data, err := os.ReadFile(testmedia.Shared(t, "testdata/smooth/fragments/dashjs/mss_moof.mp4"))
	require.NoError(t, err)
	want := validate.Expect{
		Type: smooth.Video, FourCC: "H264", HasChunk: true, Chunk: smooth.Chunk{Time: 1236046960307666, Duration: 20000000},
		Live: true, Lookahead: 2, Next: []smooth.Chunk{{Time: 1236046980307666, Duration: 20000000}, {Time: 1236047000307666, Duration: 20000000}},
	}
	assert.Equal(t, []string{"SF112", "SF113", "SF118", "SF157"}, rulesOf(validate.Fragment(data, want, nil)))
}
