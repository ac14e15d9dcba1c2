package hls

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
	"github.com/smoothkit/smoothkit/smooth"
)

// codecOf returns a codec as a client manifest describes it.
func codecOf(t testing.TB, fourCC, private string) *smooth.Codec {
	t.Helper()
	typ := smooth.Audio
	if fourCC == "H264" || fourCC == "WVC1" {
		typ = smooth.Video
	}
	c, err := smooth.CodecFromQualityLevel(typ, nil, &smooth.QualityLevel{FourCC: fourCC,
		CodecPrivateData: unhex(t, private), MaxWidth: 320, MaxHeight: 180, SamplingRate: 48000, Channels: 2})
	require.NoError(t, err)
	return c
}

const (
	avcPrivate = "00000001 6742c00bd9014100000300010000030032 0f142992 00000001 68cb83cb20"
	ec3Private = "000603000000 af87fba7022dfb42a4d405cd93843bdd 0400200400"
)

func testCodecs(t testing.TB) (avc, aac, ec3 *smooth.Codec) {
	t.Helper()
	return codecOf(t, "H264", avcPrivate), codecOf(t, "AACL", "1190"), codecOf(t, "EC-3", ec3Private)
}

func TestSampleUnit(t *testing.T) {
	key, iv := nist(t)
	e, d := newSampleEncrypter(key, iv), newAppleDecrypter(t)
	avc, aac, ec3 := testCodecs(t)

	nalu := realisticNALU(1, 0x65, 300)
	u := mpegts.Unit{Data: prefixed(int(avc.NALULengthSize), nalu)}
	require.NoError(t, e.unit(&u, avc))
	require.Equal(t, nalu, d.nalu(naluSplit(t, u.Data, 4)[0]))

	var frames [][]byte
	for i := range 40 { // so many that the memory moves
		frames = append(frames, randomBytes(uint64(i), 20+17*i))
	}
	u = mpegts.Unit{Frames: append([][]byte(nil), frames...)}
	require.NoError(t, e.unit(&u, aac))
	require.Len(t, u.Frames, len(frames))
	for i, f := range u.Frames {
		require.Equal(t, frames[i], d.frame(f))
	}

	frame := syncframe(1, 200)
	u = mpegts.Unit{Data: frame}
	require.NoError(t, e.unit(&u, ec3))
	require.Equal(t, frame, d.frame(u.Data))
	u = mpegts.Unit{Frames: [][]byte{frame, frame[:100]}}
	require.ErrorIs(t, e.unit(&u, ec3), smooth.ErrCorrupt)

	u = mpegts.Unit{Data: frame}
	require.ErrorIs(t, e.unit(&u, &smooth.Codec{Type: smooth.Audio, FourCC: "WMAP"}), smooth.ErrUnsupported)
}

// What declareEncrypted describes goes through the muxer.
func TestDeclareEncrypted(t *testing.T) {
	avc, aac, ec3 := testCodecs(t)
	picture := mpegts.Stream{Codec: mpegts.AVC, NALULengthSize: 2}
	declareEncrypted(&picture, avc)
	assert.Equal(t, mpegts.Stream{Codec: mpegts.AVC, NALULengthSize: 4, SampleAES: true}, picture)
	sound := mpegts.Stream{Codec: mpegts.AAC, AudioConfig: aac.AudioConfig()}
	declareEncrypted(&sound, aac)
	assert.Equal(t, mpegts.Stream{Codec: mpegts.AAC, AudioConfig: unhex(t, "1190"), SampleAES: true}, sound)
	dolby := mpegts.Stream{Codec: mpegts.EAC3}
	declareEncrypted(&dolby, ec3)
	assert.Equal(t, mpegts.Stream{Codec: mpegts.EAC3, AudioConfig: unhex(t, "0400200400"), SampleAES: true}, dolby)
	_, err := mpegts.NewMuxer([]mpegts.Stream{picture, sound, dolby})
	require.NoError(t, err)
}

func TestSampleUnitAllocations(t *testing.T) {
	key, iv := nist(t)
	e := newSampleEncrypter(key, iv)
	avc, aac, _ := testCodecs(t)
	sample := prefixed(int(avc.NALULengthSize), realisticNALU(1, 0x65, 20_000))
	frame := randomBytes(1, 300)
	var u mpegts.Unit
	assert.Zero(t, testing.AllocsPerRun(20, func() {
		u.Data, u.Frames = sample, u.Frames[:0]
		err := e.unit(&u, avc)
		u.Frames = append(u.Frames, frame, frame)
		if err2 := e.unit(&u, aac); err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}))
}
