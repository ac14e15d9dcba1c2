package validate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// mediaSpec describes a media file to build.
type mediaSpec struct {
	name      string
	ftyp      []byte
	handler   string
	entry     string
	timescale uint32
	stsz      uint32   // samples in moov
	trex      uint32   // its track
	fragments [][]byte // whole fragments
	track     uint32
	times     []uint64 // of tfra
	offset    uint64   // added to the offsets of tfra
	tfraTail  []byte
	tfraTrack uint32
	mfro      int32 // added to the right size
	noMfra    bool
	noMoov    bool
	moovAgain bool
	tail      []byte
}

func videoFile() *mediaSpec {
	m := &mediaSpec{
		name: "a.ismv", ftyp: atom("ftyp", []byte("isml"), u32(1), []byte("piff")), handler: "vide", entry: "avc1",
		timescale: 10000000, trex: 1, track: 1, tfraTrack: 1,
	}
	for t := uint64(0); t < 80000000; t += 20000000 {
		m.fragments = append(m.fragments, videoSpec(t).build())
		m.times = append(m.times, t)
	}
	return m
}

func (m *mediaSpec) moov() []byte {
	stbl := atom("stbl",
		atom("stsd", vf(0, 0), u32(1), atom(m.entry, make([]byte, 70))),
		atom("stsz", vf(0, 0), u32(0), u32(m.stsz)))
	mdia := atom("mdia",
		atom("mdhd", vf(1, 0), u64(0, 0), u32(m.timescale), u64(0), u32(0)),
		atom("hdlr", vf(0, 0), u32(0), []byte(m.handler), make([]byte, 12), []byte("x\x00")),
		atom("minf", stbl))
	trak := atom("trak", atom("tkhd", vf(0, 7), u32(0, 0), u32(m.track), make([]byte, 68)), mdia)
	return atom("moov", trak, atom("mvex", atom("trex", vf(0, 0), u32(m.trex, 1, 0, 0, 0))))
}

func (m *mediaSpec) build() []byte {
	out := bytes.Clone(m.ftyp)
	if !m.noMoov {
		out = append(out, m.moov()...)
	}
	if m.moovAgain {
		out = append(out, m.moov()...)
	}
	var entries []byte
	for i, f := range m.fragments {
		if i < len(m.times) {
			entries = append(entries, u64(m.times[i], uint64(len(out))+m.offset)...)
			entries = append(entries, 1, 1, 1)
		}
		out = append(out, f...)
	}
	if !m.noMfra {
		tfra := atom("tfra", vf(1, 0), u32(m.tfraTrack, 0, uint32(len(m.times))), entries, m.tfraTail)
		if m.tfraTrack == 0 {
			tfra = nil
		}
		size := uint32(int32(8+len(tfra)+16) + m.mfro)
		out = append(out, atom("mfra", tfra, atom("mfro", vf(0, 0), u32(size)))...)
	}
	return append(out, m.tail...)
}

type mediaFixture struct {
	rule   string
	change func(*mediaSpec)
}

func mediaFixtures() []mediaFixture {
	return []mediaFixture{
		{"SI101", func(m *mediaSpec) { m.tail = []byte{0, 0, 0} }},
		{"SI101", func(m *mediaSpec) { m.tail = append(u32(1000), "free"...) }},
		{"SI102", func(m *mediaSpec) { m.ftyp = atom("free") }},
		{"SI103", func(m *mediaSpec) { m.ftyp = atom("ftyp", []byte("mp42"), u32(0), []byte("isom")) }},
		{"SI104", func(m *mediaSpec) { m.noMoov = true }},
		{"SI104", func(m *mediaSpec) { m.moovAgain = true }},
		{"SI105", func(m *mediaSpec) { m.trex = 2 }},
		{"SI105", func(m *mediaSpec) { m.timescale = 0 }},
		{"SI106", func(m *mediaSpec) { m.stsz = 9 }},
		{"SI107", func(m *mediaSpec) { m.fragments[3] = m.fragments[3][:moofSize(m.fragments[3])]; m.times = m.times[:3] }},
		{"SI108", func(m *mediaSpec) { m.tail = atom("free") }},
		{"SI109", func(m *mediaSpec) { m.noMfra = true }},
		{"SI110", func(m *mediaSpec) { m.mfro = 1 }},
		{"SI111", func(m *mediaSpec) { m.tfraTail = []byte{0} }},
		{"SI112", func(m *mediaSpec) {
			m.fragments = append(m.fragments, atom("free"))
			m.times = append(m.times, 80000000)
		}},
		{"SI113", func(m *mediaSpec) {
			m.fragments[2] = videoSpec(20000000).build()
			m.times[2] = 20000000
		}},
		{"SI114", func(m *mediaSpec) { m.times[1]++ }},
		{"SI115", func(m *mediaSpec) { m.times = m.times[:3] }},
		{"SI116", func(m *mediaSpec) { m.tfraTrack = 0 }},
		{"SI117", func(m *mediaSpec) { m.fragments[3] = withTrack(videoSpec(60000000), 7); m.times = m.times[:3] }},
		{"SI118", func(m *mediaSpec) { m.timescale = 90000 }},
		{"SI119", func(m *mediaSpec) { m.name = "a.mp4" }},
		{"SI119", func(m *mediaSpec) { m.name = "a.isma" }},
		{"SI120", func(m *mediaSpec) { m.fragments = nil }},
	}
}

func moofSize(fragment []byte) int { return int(fragment[2])<<8 | int(fragment[3]) }

func withTrack(s *spec, track uint32) []byte {
	s.track = track
	return s.build()
}

// checkFile writes the file and checks it.
func checkFile(t *testing.T, name string, data []byte) *validate.Report {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(p, data, 0o600))
	r, err := validate.File(context.Background(), p, nil)
	require.NoError(t, err)
	return r
}

func TestMediaClean(t *testing.T) {
	m := videoFile()
	r := checkFile(t, m.name, m.build())
	assert.Empty(t, r.Violations)
	assert.Equal(t, 4, r.Checked.Fragments)
}

func TestMediaRules(t *testing.T) {
	for _, f := range mediaFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			m := videoFile()
			f.change(m)
			r := checkFile(t, m.name, m.build())
			require.Equal(t, []string{f.rule}, rulesOf(r), "%v", r.Violations)
		})
	}
}

// TestMediaFragmentLimit checks the rule that needs a limit.
func TestMediaFragmentLimit(t *testing.T) {
	p := filepath.Join(t.TempDir(), "a.ismv")
	require.NoError(t, os.WriteFile(p, videoFile().build(), 0o600))
	r, err := validate.File(context.Background(), p, &validate.Options{MaxFragmentSize: 300})
	require.NoError(t, err)
	assert.Equal(t, []string{"SI100"}, rulesOf(r), "%v", r.Violations)
}

// presentationFS is a presentation without a violation.
func presentationFS() map[string]string {
	audio := videoFile()
	audio.handler, audio.entry, audio.fragments, audio.times = "soun", "mp4a", nil, []uint64{0, 40000000}
	for i, d := range []uint64{40000000, 39900000} {
		audio.fragments = append(audio.fragments, audioSpec(uint64(i)*40000000, d).build())
	}
	text := videoFile()
	text.handler, text.entry, text.times = "subt", "stpp", []uint64{0}
	text.fragments = [][]byte{textSpec(0, 80000000, ttmlDoc).build()}
	return map[string]string{
		"m/a.ism":      serverText,
		"m/a.ismc":     plain,
		"m/a_300.ismv": string(videoFile().build()),
		"m/a_750.ismv": string(videoFile().build()),
		"m/a.isma":     string(audio.build()),
		"m/a.ismt":     string(text.build()),
	}
}

const serverText = `<?xml version="1.0"?>
<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><head><meta name="clientManifestRelativePath" content="a.ismc"/></head>
<body><switch>
<video src="a_300.ismv" systemBitrate="300000"><param name="trackID" value="1" valuetype="data"/></video>
<video src="a_750.ismv" systemBitrate="750000"><param name="trackID" value="1" valuetype="data"/></video>
<audio src="a.isma" systemBitrate="96000"><param name="trackID" value="1"/><param name="trackName" value="audio_eng"/></audio>
<textstream src="a.ismt" systemBitrate="1000"><param name="trackID" value="1"/><param name="trackName" value="text_eng"/></textstream>
</switch></body></smil>`

type serverFixture struct{ rule, file, old, new string }

func serverFixtures() []serverFixture {
	const audioName = `<param name="trackName" value="audio_eng"/>`
	return []serverFixture{
		{"SS101", "m/a.ism", "</smil>", ""},
		{"SS101", "m/a.ism", serverText, plain},
		{"SS102", "m/a.ism", "SMIL20", "SMIL10"},
		{"SS103", "m/a.ism", `content="a.ismc"`, `content="b.ismc"`},
		{"SS103", "m/a.ism", `content="a.ismc"`, `content="../../a.ismc"`},
		{"SS104", "m/a.ism", `<meta name="clientManifestRelativePath" content="a.ismc"/>`, ``},
		{"SS105", "m/a.ism", between(serverText, "<video", "</switch>"), ""},
		{"SS106", "m/a.ism", `src="a.isma"`, ``},
		{"SS106", "m/a.ism", `src="a.isma"`, `src="C:\a.isma"`},
		{"SS106", "m/a.ism", `src="a.isma"`, `src="..\..\a.isma"`},
		{"SS107", "m/a.ism", `</switch>`, `<video src="a_300.ismv"><param name="trackID" value="1"/></video></switch>`},
		{"SS108", "m/a.ism", `<param name="trackID" value="1"/>` + audioName, audioName},
		{"SS108", "m/a.ism", `value="1" valuetype="data"`, `value="0"`},
		{"SS109", "m/a.ism", `</switch>`, between(serverText, "<video", "\n") + `</switch>`},
		{"SS110", "m/a.ism", audioName, audioName + `<param name="parentTrackName" value="film"/>`},
		{"SS111", "m/a.ism", audioName, audioName + `<param name="manifestOutput" value="yes"/>`},
		{"SS112", "m/a.ism", `src="a.isma"`, `src="b.isma"`},
		{"SS113", "m/a.ism", `src="a.isma"`, `src="a.mp4"`},
		{"SS114", "m/a.ism", `value="1"/>` + audioName, `value="2"/>` + audioName},
		{"SS114", "m/a.ism", `src="a.isma"`, `src="a_300.ismv"`},
		{"SS121", "m/a.ismc", `<StreamIndex Type="text"`, `<StreamIndex Type="text" Name="more" Subtype="CAPT" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(more={start time})"><QualityLevel Index="0" Bitrate="5" FourCC="TTML"/><c d="1"/></StreamIndex><StreamIndex Type="text"`},
		{"SS122", "m/a.ism", `</switch>`, `<audio src="a.isma" systemBitrate="5"><param name="trackID" value="1"/></audio></switch>`},
		{"SS123", "m/a.ismc", `<c n="3" t="60000000" d="20000000">`, `<c n="3" t="60000001" d="20000000">`},
		{"SS124", "m/a.ismc", `<c d="39900000"/>`, `<c d="36900000"/>`},
	}
}

func mapFS(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestServerManifestClean(t *testing.T) {
	r, err := validate.FS(context.Background(), mapFS(presentationFS()), "m/a.ism", nil)
	require.NoError(t, err)
	assert.Empty(t, r.Violations)
	assert.Equal(t, 11, r.Checked.Fragments)
}

func TestServerManifestRules(t *testing.T) {
	for _, f := range serverFixtures() {
		t.Run(f.rule, func(t *testing.T) {
			files := presentationFS()
			require.Contains(t, files[f.file], f.old)
			files[f.file] = strings.Replace(files[f.file], f.old, f.new, 1)
			r, err := validate.FS(context.Background(), mapFS(files), "m/a.ism", nil)
			require.NoError(t, err)
			require.Equal(t, []string{f.rule}, rulesOf(r), "%.80s -> %.80s: %v", f.old, f.new, r.Violations)
		})
	}
}

// TestServerManifestNames names files as servers find them: escaped, literally, in another case.
func TestServerManifestNames(t *testing.T) {
	for _, c := range []struct{ stored, src, rule string }{
		{"100% a.isma", "100%25%20a.isma", ""},
		{"100%25 a.isma", "100%25 a.isma", ""},
		{"A.IsmA", "a.isma", ""},
		{"Sub/A.IsmA", `sUb\\a.isma`, ""},
		{"100%25 a.isma", "100%20a.isma", "SS112"},
		{"A.IsmA", "%2e%2e/%2e%2e/a.isma", "SS106"},
	} {
		files := presentationFS()
		files["m/"+c.stored] = files["m/a.isma"]
		delete(files, "m/a.isma")
		files["m/a.ism"] = strings.Replace(files["m/a.ism"], `src="a.isma"`, `src="`+c.src+`"`, 1)
		files["m/A.ISMC"] = files["m/a.ismc"]
		delete(files, "m/a.ismc")
		r, err := validate.FS(context.Background(), mapFS(files), "m/a.ism", nil)
		require.NoError(t, err)
		assert.Equal(t, strings.Fields(c.rule), rulesOf(r), "%s for %s: %v", c.src, c.stored, r.Violations)
	}
	files := presentationFS()
	files["m/A.isma"], files["m/a.ISMA"] = files["m/a.isma"], files["m/a.isma"]
	delete(files, "m/a.isma")
	r, err := validate.FS(context.Background(), mapFS(files), "m/a.ism", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"SS112"}, rulesOf(r), "ambiguous")
}

// TestSharedPackage checks a package that an Azure encoder made.
func TestSharedPackage(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/smooth/package-bbb")
	r, err := validate.File(context.Background(), filepath.Join(dir, "BigBuckBunny.ism"), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"SM113"}, rulesOf(r), "%v", r.Violations)
	assert.Equal(t, 14, r.Checked.Fragments, "as stored and as served")
}

// TestSharedFiles records what is wrong with real files.
func TestSharedFiles(t *testing.T) {
	dir := testmedia.Shared(t, "testdata/smooth")
	for name, want := range map[string][]string{
		"piff/mp4ff-bbb5s_aac.isma":                        {},
		"piff/mp4ff-sample_short.ismt":                     {"SF113", "SI103", "SI118"},
		"piff/mp4ff-audio.mp4":                             {"SF112", "SI109", "SI119"},
		"piff/mp4ff-segment-1.0001.m4s":                    {},
		"package-mbr-mp4/BigBuckBunny_400.mp4":             {"SI120"},
		"package-mbr-mp4/BigBuckBunny_3400.ism":            {},
		"server/ams-explorer-template.ism":                 {"SS105"},
		"manifests/dashjs-manifest.xml":                    {"SM111", "SM212", "SM313", "SM321", "SM331", "SM332"},
		"manifests/iis-docs-composite-rce-4.ismc":          {"SM706"},
		"manifests/iis-docs-multiple-camera-angles-1.ismc": {"SM104", "SM209", "SM211", "SM413"},
		"manifests/inputstream-TearsOfSteel.Manifest.xml":  {},
		"manifests/media3-sample_ismc_1.ismc":              {"SM116", "SM209", "SM217", "SM219", "SM302"},
		"manifests/rx-Manifest_Empty_Text_Track.xml":       {"SM113", "SM214", "SM413"},
		"manifests/rx-Manifest_Regular.xml":                {"SM113", "SM214"},
		"manifests/yt-dlp-sintel.Manifest.xml":             {},
	} {
		r, err := validate.File(context.Background(), filepath.Join(dir, filepath.FromSlash(name)), nil)
		require.NoError(t, err, name)
		assert.Equal(t, want, rulesOf(r), "%s: %v", name, r.Violations)
	}
}

// TestMalformedFiles reads files that are broken on purpose: each is refused or found faulty.
func TestMalformedFiles(t *testing.T) {
	root := testmedia.Shared(t, "testdata/malformed")
	n := 0
	for _, dir := range []string{"fmp4", "mp4", "xml"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*"))
		require.NoError(t, err)
		for _, name := range files {
			n++
			r, err := validate.File(context.Background(), name, nil)
			if err == nil {
				assert.NotZero(t, r.Errors(), name)
			}
		}
	}
	assert.NotZero(t, n)
}
