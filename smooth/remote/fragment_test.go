package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// testOrigin returns an origin without URLs.
func testOrigin(t testing.TB) *origin {
	o, err := (&Options{MaxFragmentBytes: 1 << 20}).withDefaults()
	require.NoError(t, err)
	g := newOrigin(o, []*url.URL{{Scheme: "http", Host: "origin"}})
	t.Cleanup(g.close)
	return g
}

// bodyOf returns an answer with a body.
func bodyOf(t testing.TB, o *origin, data []byte) *answer {
	b, err := o.pool.read(bytes.NewReader(data), -1, 1<<30)
	require.NoError(t, err)
	return &answer{body: b, header: http.Header{"Content-Type": {`video/mp4; ChildTrack="ad=5"`}}}
}

// original is a fragment taken apart.
type original struct {
	place   place
	head    []byte
	payload []byte
	samples []fmp4.RunSample
}

func newOriginal(t testing.TB) *original {
	k := smooth.FragmentKey{Stream: "video", Bitrate: 400_000, Time: 20_000_000}
	f, err := smoothtest.New(smoothtest.Default()).Fragment(context.Background(), k)
	require.NoError(t, err)
	defer f.Close()
	w := &original{place: place{
		key: k, codec: f.Codec, listed: true, chunk: smooth.Chunk{Time: k.Time, Duration: f.Duration}, level: &smooth.QualityLevel{Bitrate: k.Bitrate},
	}}
	head, err := f.Header(smooth.Smooth)
	require.NoError(t, err)
	payload, err := f.Load(context.Background(), nil)
	require.NoError(t, err)
	w.head, w.payload = bytes.Clone(head), bytes.Clone(payload)
	for s, err := range f.Samples() {
		require.NoError(t, err)
		w.samples = append(w.samples, fmp4.RunSample{Duration: s.Duration, Size: s.Size, Flags: s.Flags, CTS: int32(s.CTS)})
	}
	return w
}

// part returns moof and mdat of some of the samples.
func (w *original) part(t testing.TB, h fmp4.FragmentHead, from, to int) []byte {
	var before, size int
	for i, s := range w.samples[:to] {
		if i < from {
			before += int(s.Size)
		} else {
			size += int(s.Size)
		}
	}
	h.Sequence, h.TrackID, h.Samples = 7, 3, w.samples[from:to]
	b, err := h.AppendTo(nil)
	require.NoError(t, err)
	return append(b, w.payload[before:before+size]...)
}

func boxOf(typ string, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, typ...), body...)
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestForms: whatever form a fragment comes in, what is served has one moof box with tfxd, one mdat box and the same
// samples.
func TestForms(t *testing.T) {
	w := newOriginal(t)
	n := len(w.samples)
	timed := fmp4.FragmentHead{Tfxd: true, Time: w.place.chunk.Time, Duration: w.place.chunk.Duration}
	whole := w.part(t, timed, 0, n)
	bare := w.part(t, fmp4.FragmentHead{}, 0, n)
	large := w.part(t, fmp4.FragmentHead{}, 0, n) // mdat with a 64-bit size
	moof := fmp4.MoofSize(large)
	large = concat(large[:moof], []byte{0, 0, 0, 1}, large[moof+4:moof+8], binary.BigEndian.AppendUint64(nil, uint64(len(w.payload)+16)), large[moof+8:])
	at := bytes.Index(large, binary.BigEndian.AppendUint32(nil, uint32(moof+8)))
	binary.BigEndian.PutUint32(large[at:], uint32(moof+16))

	for name, c := range map[string]struct {
		body   []byte
		intact bool
	}{
		"as served":        {concat(w.head, w.payload), true},
		"written anew":     {whole, true},
		"no tfxd":          {bare, false},
		"tfdt":             {w.part(t, fmp4.FragmentHead{Tfdt: true, DecodeTime: 5}, 0, n), false},
		"other time":       {w.part(t, fmp4.FragmentHead{Tfxd: true, Time: 5, Duration: 6}, 0, n), false},
		"boxes around":     {concat(boxOf("styp", 'i', 's', 'o', '8', 0, 0, 0, 0), boxOf("free"), whole, boxOf("mfra")), true},
		"boxes, no tfxd":   {concat(boxOf("styp", 'i', 's', 'o', '8', 0, 0, 0, 0), bare, boxOf("free")), false},
		"two moof boxes":   {concat(w.part(t, fmp4.FragmentHead{Tfdt: true}, 0, 3), boxOf("free"), w.part(t, fmp4.FragmentHead{}, 3, n)), false},
		"eight moof boxes": {concat(w.part(t, timed, 0, 1), w.part(t, timed, 1, 2), w.part(t, timed, 2, 7), w.part(t, timed, 7, n)), false},
		"large mdat":       {large, false},
	} {
		o := testOrigin(t)
		r, err := o.newFragment(bodyOf(t, o, c.body), &w.place, smooth.DefaultTimescale)
		require.NoError(t, err, name)
		f := r.fragment
		var out bytes.Buffer
		_, err = f.WriteTo(&out)
		require.NoError(t, err, name)
		if c.intact {
			assert.Contains(t, string(c.body), out.String(), name)
		}
		assert.EqualValues(t, out.Len(), f.Size(), name)
		assert.Equal(t, w.place.key, f.Key)
		assert.Equal(t, "ad=5", f.ChildTrack)
		assert.Equal(t, w.place.chunk.Duration, f.Duration)
		head, err := f.Header(smooth.Smooth)
		require.NoError(t, err)
		h, err := fmp4.Inspect(head[:fmp4.MoofSize(head)], 0, fmp4.Defaults{})
		require.NoError(t, err, name)
		assert.True(t, h.Plain && h.Ordered && h.HasTfxd, "%s: %+v", name, h)
		assert.Equal(t, w.place.chunk.Time, h.Time, name)
		payload, err := f.Load(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, w.payload, payload, name)
		i := 0
		for s, err := range f.Samples() {
			require.NoError(t, err, name)
			assert.Equal(t, w.samples[i], fmp4.RunSample{Duration: s.Duration, Size: s.Size, Flags: s.Flags, CTS: int32(s.CTS)}, name)
			i++
		}
		assert.Equal(t, n, i, name)
		assert.NotZero(t, r.bytes)
		f.Close()
	}
}

// TestHEVC in the newer form has tfdt instead of tfxd, and stays so.
func TestHEVC(t *testing.T) {
	w, o := newOriginal(t), testOrigin(t)
	w.place.codec = &smooth.Codec{Type: smooth.Video, FourCC: "hev1"}
	body := w.part(t, fmp4.FragmentHead{Tfdt: true, DecodeTime: w.place.chunk.Time, BaseIsMoof: true}, 0, len(w.samples))
	r, err := o.newFragment(bodyOf(t, o, body), &w.place, smooth.DefaultTimescale)
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = r.fragment.WriteTo(&out)
	require.NoError(t, err)
	assert.Equal(t, body, out.Bytes())
	r.fragment.Close()
}

// TestUnlisted: the length of a fragment that no manifest lists yet is what it says itself, if it is the one asked for.
func TestUnlisted(t *testing.T) {
	w, o := newOriginal(t), testOrigin(t)
	want := w.place.chunk.Duration
	w.place.listed, w.place.chunk.Duration = false, 0
	n := len(w.samples)
	for name, h := range map[string]fmp4.FragmentHead{
		"tfxd": {Tfxd: true, Time: w.place.chunk.Time, Duration: want}, "samples": {},
	} {
		r, err := o.newFragment(bodyOf(t, o, w.part(t, h, 0, n)), &w.place, smooth.DefaultTimescale)
		require.NoError(t, err, name)
		assert.Equal(t, want, r.chunk.Duration, name)
		assert.Equal(t, want, r.fragment.Duration, name)
		r.fragment.Close()
	}
	_, err := o.newFragment(bodyOf(t, o, w.part(t, fmp4.FragmentHead{Tfxd: true, Time: 5, Duration: want}, 0, n)), &w.place, smooth.DefaultTimescale)
	assert.ErrorIs(t, err, smooth.ErrNotYet)
}

// TestMalformedFragments: what cannot be served is refused, and says why.
func TestMalformedFragments(t *testing.T) {
	w := newOriginal(t)
	n := len(w.samples)
	whole := concat(w.head, w.payload)
	short := w.part(t, fmp4.FragmentHead{}, 0, n)
	moof := fmp4.MoofSize(short)
	binary.BigEndian.PutUint32(short[moof:], 20) // less than the samples
	two := w.part(t, fmp4.FragmentHead{}, 0, n)
	traf := two[24:moof]
	doubled := concat(boxOf("moof", concat(two[8:moof], traf)...), two[moof:])
	encrypted := fmp4.FragmentHead{Tfxd: true, Encryption: []byte{0, 0, 0, 0, 0, 0, 0, 0}}
	unsized := concat(boxOf("moof", concat(boxOf("mfhd", 0, 0, 0, 0, 0, 0, 0, 1), boxOf("traf",
		concat(boxOf("tfhd", 0, 0, 0, 0, 0, 0, 0, 1), boxOf("trun", 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 76))...))...), boxOf("mdat", 1, 2, 3))
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"samples beyond mdat":    {short, smooth.ErrCorrupt},
		"two tracks":             {doubled, smooth.ErrUnsupported},
		"tracks that differ":     {concat(whole, w.part(t, fmp4.FragmentHead{}, 0, 1)), smooth.ErrUnsupported},
		"encrypted, two moof":    {concat(w.part(t, encrypted, 0, 3), w.part(t, encrypted, 3, n)), smooth.ErrUnsupported},
		"no sizes":               {unsized, smooth.ErrUnsupported},
		"mdat alone":             {boxOf("mdat", 1, 2), smooth.ErrCorrupt},
		"moof alone":             {whole[:len(w.head)-8], smooth.ErrCorrupt},
		"moof cut":               {whole[:len(w.head)-20], smooth.ErrCorrupt},
		"many moof boxes":        {bytes.Repeat(boxOf("moof"), maxMoofs+1), smooth.ErrTooLarge},
		"moof without traf":      {concat(boxOf("moof"), boxOf("mdat", 1)), smooth.ErrUnsupported},
		"tfrf that counts wrong": {tfrfBroken(w), smooth.ErrCorrupt},
	} {
		o := testOrigin(t)
		_, err := o.newFragment(bodyOf(t, o, c.body), &w.place, smooth.DefaultTimescale)
		assert.ErrorIs(t, err, c.want, name)
	}
}

// tfrfBroken returns the fragment with a tfrf box that has less than it counts.
func tfrfBroken(w *original) []byte {
	tfrf := boxOf("uuid", append(bytes.Clone(fmp4.UUIDTfrf[:]), 1, 0, 0, 0, 3, 0)...)
	moof := w.head[:len(w.head)-8]
	out := concat(moof, tfrf, w.head[len(w.head)-8:], w.payload)
	binary.BigEndian.PutUint32(out, uint32(len(moof)+len(tfrf)))
	traf := bytes.Index(out, []byte("traf")) - 4
	binary.BigEndian.PutUint32(out[traf:], binary.BigEndian.Uint32(out[traf:])+uint32(len(tfrf)))
	return out
}

// FuzzFragment: whatever an origin sends, what is served has boxes and samples within it.
func FuzzFragment(f *testing.F) {
	w, o := newOriginal(f), testOrigin(f)
	n := len(w.samples)
	f.Add(concat(w.head, w.payload), true)
	f.Add(w.part(f, fmp4.FragmentHead{Tfdt: true}, 0, n), false)
	f.Add(concat(w.part(f, fmp4.FragmentHead{}, 0, 2), w.part(f, fmp4.FragmentHead{}, 2, 3)), true)
	f.Add(tfrfBroken(w), true)
	f.Fuzz(func(t *testing.T, body []byte, listed bool) {
		p := w.place
		p.listed = listed
		a := bodyOf(t, o, body)
		r, err := o.newFragment(a, &p, smooth.DefaultTimescale)
		if err != nil {
			o.pool.put(a.body)
			return
		}
		defer r.fragment.Close()
		require.LessOrEqual(t, r.fragment.PayloadSize(), int64(1<<20+len(body)))
		total := int64(0)
		for s, err := range r.fragment.Samples() {
			require.NoError(t, err)
			total += int64(s.Size)
		}
		require.LessOrEqual(t, total, r.fragment.PayloadSize())
		require.LessOrEqual(t, len(r.next), fmp4.MaxNext)
	})
}

// FuzzListing: whatever a manifest says, what is made of it can be written again.
func FuzzListing(f *testing.F) {
	s, err := smoothtest.New(smoothtest.Default()).Snapshot(context.Background())
	require.NoError(f, err)
	xml, err := s.Manifest.AppendXML(nil, nil)
	require.NoError(f, err)
	f.Add(xml)
	f.Add([]byte(`<SmoothStreamingMedia MajorVersion="2" IsLive="true"><StreamIndex Type="text" ParentStreamIndex="video" ManifestOutput="TRUE" Url="{start time}">` +
		`<QualityLevel Index="5" Bitrate="0"/><QualityLevel Index="5" Bitrate="0"/><c t="5"><f i="5">AA==</f></c></StreamIndex></SmoothStreamingMedia>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := newListing(data, nil)
		if err != nil {
			return
		}
		require.Len(t, l.templates, len(l.manifest.Streams))
		st := firstState(l, testTime)
		st.publish()
		_, err = st.snap.Manifest.AppendXML(nil, nil)
		require.NoError(t, err)
		st.pollInterval()
		next, _ := st.next(l, testTime)
		next.publish()
		require.Equal(t, st.snap.Validator, next.snap.Validator)
	})
}

// TestRealFragments arranges what real servers have sent.
func TestRealFragments(t *testing.T) {
	w, o := newOriginal(t), testOrigin(t)
	for _, name := range []string{"300000-Fragments(video=0).mp4", "2100000-Fragments(video=740000000).mp4", "Fragments(audio_und=20053333).mp4"} {
		b := testmedia.SharedFile(t, "smooth/fragments/rx-player/"+name)
		r, err := o.newFragment(bodyOf(t, o, b), &w.place, smooth.DefaultTimescale)
		require.NoError(t, err, name)
		total := int64(0)
		for s, err := range r.fragment.Samples() {
			require.NoError(t, err, name)
			total += int64(s.Size)
		}
		assert.Equal(t, r.fragment.PayloadSize(), total, name)
		r.fragment.Close()
	}
}
