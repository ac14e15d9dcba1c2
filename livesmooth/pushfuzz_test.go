package livesmooth

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// FuzzPushBody reads anything behind a header: no panic, no leak of pooled memory, memory in proportion to what was sent, one
// of the sentinels, and fragments that the rest of the package can use. The header is not part of the input, since large
// inputs take long to minimise.
func FuzzPushBody(f *testing.F) {
	v, a := pushVideo(f, 1), pushAudio(f, 2)
	a.edit, a.timescale, a.defaults = 1024, 48000, fmp4.Defaults{Duration: 1024, Size: 1, Flags: fmp4.FlagsSync}
	opus := pushTrak{id: 5, media: "audio", entry: pushBox("Opus", make([]byte, 28))}
	cmaf := append(pushFtyp(), pushMoov(f, v, a, opus)...)
	smooth := bytes.Join([][]byte{pushFtyp(), pushSMIL(pushVideoSMIL), pushMoov(f, v, a)}, nil)
	add := func(parts ...[]byte) {
		f.Add(true, bytes.Join(parts, nil))
		f.Add(false, bytes.Join(parts, nil))
	}
	add(pushStyp("msdh"), pushA(0, 20, "a"), pushStyp("cmfl"), pushA(20, 20, "b"))
	add(pushStyp("msdh"), pushV(0, 40, true, "c"), pushV(40, 40, false, "d"), pushStyp("msdh", "lmsg"), pushV(40, 20, true, "e"))
	add(pushPlain(1, -5, "abcd"), pushBox("prft", push32(1<<24, 1), push64(1, 2)), pushPlain(1, 5, "ef"), pushBox("mfra"))
	add(pushMoof(0, []byte("abcdef"), pushTraf{id: 2, boxes: [][]byte{pushTfdt(1)}, runs: []pushRun{{flags: trunSize, count: 1, entries: push32(2)}}},
		pushTraf{id: 1, flags: 1, fields: push64(5), boxes: [][]byte{pushTfdt(1)}, runs: []pushRun{{flags: trunSize, count: 1, entries: push32(3)}}}))
	add(pushStyp("msdh"), pushChunk(1, 0, 9, true, "a", pushBox("senc", push32(0, 1), make([]byte, 8))), pushChunk(1, 9, 9, false, "b", pushBox("senc", push32(0, 1), make([]byte, 8))))
	add(pushPlain(5, 0, "ab"), pushBox("free"), pushBox("ftyp", []byte("isml\x00\x00\x00\x00")))
	f.Fuzz(func(t *testing.T, described bool, body []byte) {
		header := cmaf
		if described {
			header = smooth
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := pushReadAll(t, bytes.NewReader(append(bytes.Clone(header), body...)), pushReaderConfig{limits: Limits{FragmentBytes: 1 << 20, HeaderBytes: 1 << 20}})
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20+400*len(body)))
		requirePushError(t, s.err)
	})
}

// FuzzPushMovie reads any moov box of an encoder that sends no manifest.
func FuzzPushMovie(f *testing.F) {
	f.Add(pushMoov(f, pushVideo(f, 1))[8:])
	f.Add(pushMoov(f, pushTrak{id: 3, media: "meta", edit: -1, entry: pushBox("scte", make([]byte, 8))})[8:])
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := parsePushHeader(headerBoxes{moov: pushBox("moov", body)}, 128)
		if err != nil {
			requirePushError(t, err)
			return
		}
		requireSameHeader(t, h)
	})
}

// requirePushError requires that an error is one that an encoder can be answered with.
func requirePushError(t testing.TB, err error) {
	t.Helper()
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return
	}
	for _, want := range []error{ErrNoHeader, ErrMalformed, ErrMedia, ErrLimit} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("unexpected error: %v", err)
}

// FuzzPushManifest reads any stream manifest and live server manifest.
func FuzzPushManifest(f *testing.F) {
	f.Add([]byte(`<smil><body><par><ref src="Streams(a)"/><ref src="Events(e)/Streams(b)"/></par></body></smil>`), []byte(`<smil><body><switch>`+pushVideoSMIL+`</switch></body></smil>`))
	f.Add([]byte("\xff\xfe<\x00"), []byte(`<smil><body><video><param name="FourCC" value="H264"/><param name="CodecPrivateData" value="0000000167"/></video></body></smil>`))
	f.Add([]byte(`<ref/>`), []byte(`<smil><body><textstream systemBitrate="0"><param name="Scheme" value="&lt;"/></textstream><audio><param name="WaveFormatEx" value="6201020044AC0000803E00000008100012001000030000"/></audio></body></smil>`))
	moov := pushMoov(f, pushVideo(f, 1), pushAudio(f, 2), pushTrak{id: 3, media: "meta", entry: pushBox("scte", make([]byte, 8))})
	f.Fuzz(func(t *testing.T, streams, manifest []byte) {
		h, err := parsePushHeader(headerBoxes{streams: pushUUID(fmp4.UUIDStreamManifest, 0, streams),
			manifest: pushUUID(fmp4.UUIDLiveServerManifest, 0, manifest), moov: moov}, 128)
		if err != nil {
			requirePushError(t, err)
			return
		}
		requireSameHeader(t, h)
	})
}
