package livesmooth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const (
	tfhdBaseIsMoof = 0x020000
	trunFirst      = 0x04
	trunDuration   = 0x100
	trunSize       = 0x200
	trunFlags      = 0x400
	trunCTS        = 0x800
)

// pushList shows samples as time/cts/data, with a star for sync samples.
func pushList(list []pushSample) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		if s.sync {
			b.WriteByte('*')
		}
		fmt.Fprintf(&b, "%d/%d/%s", s.time, s.cts, s.data)
	}
	return b.String()
}

// pushSpans shows the time and duration of fragments.
func pushSpans(s pushSeen) string {
	var list []string
	for _, f := range s.fragments {
		list = append(list, fmt.Sprintf("%d:%d+%d", f.track, f.time, f.duration))
	}
	return strings.Join(list, " ")
}

// pushBody reads fragments behind a header with a video track 1 and an audio track 2, in the given timescale.
func pushBody(t testing.TB, timescale uint32, change func(v, a *pushTrak), parts ...[]byte) pushSeen {
	t.Helper()
	v, a := pushVideo(t, 1), pushAudio(t, 2)
	v.timescale, a.timescale = timescale, timescale
	if change != nil {
		change(&v, &a)
	}
	return pushReadAll(t, bytes.NewReader(append(append(pushFtyp(), pushMoov(t, v, a)...), bytes.Join(parts, nil)...)), pushReaderConfig{})
}

// pushPlain is a fragment as encoders for Smooth Streaming send it: two samples of 5 ticks.
func pushPlain(id uint32, time int64, payload string) []byte {
	half := uint32(len(payload) / 2)
	return pushMoof(0, []byte(payload), pushTraf{id: id, runs: []pushRun{{flags: trunDuration | trunSize | trunFlags, count: 2,
		entries: push32(5, half, fmp4.FlagsSync, 5, uint32(len(payload))-half, fmp4.FlagsDelta)}}, after: [][]byte{pushTfxdBox(time, 10)}})
}

// TestPushForms: all that a moof box can say differently.
func TestPushForms(t *testing.T) {
	both := func(v, a *pushTrak) {
		v.defaults = fmp4.Defaults{Duration: 5, Size: 2, Flags: fmp4.FlagsDelta}
		a.defaults = fmp4.Defaults{Duration: 3, Size: 1, Flags: fmp4.FlagsSync}
	}
	tfdt := [][]byte{pushTfdt(100)}
	sizes := func(n ...uint32) pushRun {
		return pushRun{flags: trunSize, count: uint32(len(n)), entries: push32(n...)}
	}
	run := func(r pushRun, offset int) pushRun { r.offset = offset; return r }
	none := func(r pushRun) pushRun { r.none = true; return r }
	large := func() []byte { // mdat with a 64-bit size
		b := pushMoof(8, []byte("abcd"), pushTraf{id: 1, flags: tfhdBaseIsMoof, boxes: tfdt, runs: []pushRun{{count: 2}}})
		at := len(b) - 12
		return append(append(append(append([]byte(nil), b[:at]...), push32(1)...), "mdat"...), append(push64(20), "abcd"...)...)
	}
	between := func() []byte { // a box between moof and mdat
		b := pushMoof(12, []byte("abcd"), pushTraf{id: 1, flags: tfhdBaseIsMoof, boxes: tfdt, runs: []pushRun{{count: 2}}})
		at := len(b) - 12
		return append(append(append([]byte(nil), b[:at]...), pushBox("free", []byte("1234"))...), b[at:]...)
	}
	header := len(pushFtyp()) + len(pushMoov(t, func() []pushTrak {
		v, a := pushVideo(t, 1), pushAudio(t, 2)
		both(&v, &a)
		return []pushTrak{v, a}
	}()...))
	for _, c := range []struct {
		name         string
		body         []byte
		spans        string
		video, audio string
	}{
		{"defaults of trex", pushMoof(0, []byte("abcdef"), pushTraf{id: 1, flags: tfhdBaseIsMoof, boxes: tfdt, runs: []pushRun{{flags: trunFirst, first: push32(fmp4.FlagsSync), count: 3}}}),
			"0:100+15", "*100/0/ab 105/0/cd 110/0/ef", ""},
		{"defaults of tfhd", pushMoof(0, []byte("abcdef"), pushTraf{id: 1, flags: tfhdBaseIsMoof | 0x38, fields: push32(7, 3, fmp4.FlagsSync), boxes: tfdt, runs: []pushRun{{count: 2}}}),
			"0:100+14", "*100/0/abc *107/0/def", ""},
		{"several runs", pushMoof(0, []byte("abcdef"), pushTraf{id: 1, boxes: tfdt, runs: []pushRun{run(sizes(1, 2), 3), run(sizes(3), 0)}}),
			"0:100+15", "100/0/d 105/0/ef 110/0/abc", ""},
		{"runs that go on", pushMoof(0, []byte("abcdef"), pushTraf{id: 1, boxes: tfdt, runs: []pushRun{sizes(1, 2), none(sizes(3))}}),
			"0:100+15", "100/0/a 105/0/bc 110/0/def", ""},
		{"two tracks", pushMoof(0, []byte("abcdef"), pushTraf{id: 2, flags: tfhdBaseIsMoof, boxes: tfdt, runs: []pushRun{{count: 2}}}, pushTraf{id: 1, flags: tfhdBaseIsMoof, boxes: tfdt, runs: []pushRun{run(sizes(2, 2), 2)}}),
			"1:100+6 0:100+10", "100/0/cd 105/0/ef", "*100/0/a *103/0/b"},
		{"two tracks, the second one where the first ends", pushMoof(0, []byte("abcdef"), pushTraf{id: 2, boxes: tfdt, runs: []pushRun{{count: 2}}}, pushTraf{id: 1, boxes: tfdt, runs: []pushRun{none(sizes(2, 2))}}),
			"1:100+6 0:100+10", "100/0/cd 105/0/ef", "*100/0/a *103/0/b"},
		{"one track twice in a moof", pushMoof(0, []byte("abcdef"), pushTraf{id: 1, flags: tfhdBaseIsMoof, boxes: tfdt, runs: []pushRun{{count: 1}}}, pushTraf{id: 1, flags: tfhdBaseIsMoof, boxes: [][]byte{pushTfdt(105)}, runs: []pushRun{run(sizes(4), 2)}}),
			"0:100+5 0:105+5", "100/0/ab 105/0/cdef", ""},
		{"base data offset in this body", pushMoof(0, []byte("abcd"), pushTraf{id: 1, flags: 1, fields: push64(uint64(header)), boxes: tfdt, runs: []pushRun{{count: 2}}}),
			"0:100+10", "100/0/ab 105/0/cd", ""},
		{"base data offset of another file", pushMoof(0, []byte("abcd"), pushTraf{id: 1, flags: 1, fields: push64(123456789), boxes: tfdt, runs: []pushRun{{count: 2}}}),
			"0:100+10", "100/0/ab 105/0/cd", ""},
		{"mdat of 64-bit size", large(), "0:100+10", "100/0/ab 105/0/cd", ""},
		{"box between moof and mdat", between(), "0:100+10", "100/0/ab 105/0/cd", ""},
		{"more data than samples", pushMoof(0, []byte("abcdefghijkl"), pushTraf{id: 1, boxes: tfdt, runs: []pushRun{run(sizes(2, 2), 4)}}), "0:100+10", "100/0/ef 105/0/gh", ""},
		{"more data than samples of a plain one", pushMoof(0, []byte("abcdXXXX"), pushTraf{id: 1, flags: 0x38, fields: push32(5, 2, fmp4.FlagsSync), boxes: tfdt, runs: []pushRun{{count: 2}}}),
			"0:100+10", "*100/0/ab *105/0/cd", ""},
		{"tfxd before tfdt", pushMoof(0, []byte("ab"), pushTraf{id: 1, boxes: tfdt, runs: []pushRun{{count: 1}}, after: [][]byte{pushTfxdBox(40, 0)}}), "0:40+5", "40/0/ab", ""},
		{"tfxd of version 0", pushMoof(0, []byte("ab"), pushTraf{id: 1, runs: []pushRun{{count: 1}}, after: [][]byte{pushUUID(fmp4.UUIDTfxd, 0, push32(40, 9))}}), "0:40+9", "40/0/ab", ""},
		{"time below zero", pushPlain(1, -700, "abcd"), "0:-700+10", "*-700/0/ab -695/0/cd", ""},
		{"tfxd first and tfrf", pushMoof(0, []byte("ab"), pushTraf{id: 1, boxes: [][]byte{pushTfxdBox(40, 6), pushUUID(fmp4.UUIDTfrf, 1, []byte{1}, push64(46, 6))},
			flags: 0x38, fields: push32(6, 2, fmp4.FlagsSync), runs: []pushRun{{count: 1}}}), "0:40+6", "*40/0/ab", ""},
		{"tfrf without tfxd", pushMoof(0, []byte("ab"), pushTraf{id: 1, boxes: [][]byte{pushTfdt(40), pushUUID(fmp4.UUIDTfrf, 1, []byte{1}, push64(46, 6))},
			flags: 0x38, fields: push32(6, 2, fmp4.FlagsSync), runs: []pushRun{{count: 1}}}), "0:40+6", "*40/0/ab", ""},
		{"forty boxes in traf", pushMoof(0, []byte("ab"), pushTraf{id: 1, boxes: append(bytes.SplitAfterN(bytes.Repeat(pushBox("free"), 40), nil, 1), pushTfxdBox(40, 6)),
			flags: 0x38, fields: push32(6, 2, fmp4.FlagsSync), runs: []pushRun{{count: 1}}}), "0:40+6", "*40/0/ab", ""},
		{"no samples", pushMoof(0, nil, pushTraf{id: 1, runs: []pushRun{{count: 0}}, after: [][]byte{pushTfxdBox(40, 6)}}), "0:40+6", "", ""},
		{"no run", pushMoof(0, nil, pushTraf{id: 1, after: [][]byte{pushTfxdBox(40, 6)}}), "0:40+6", "", ""},
		{"composition offsets", pushMoof(0, []byte("abcd"), pushTraf{id: 1, boxes: tfdt, runs: []pushRun{{flags: trunCTS, count: 2, entries: push32(7, 0xfffffffd)}}}), "0:100+10", "100/7/ab 105/-3/cd", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pushBody(t, scale, both, c.body, pushBox("mfra"))
			require.Equal(t, io.EOF, s.err)
			require.Equal(t, 1, s.ends)
			require.Equal(t, c.spans, pushSpans(s))
			require.Equal(t, c.video, pushList(pushSamples(t, s, 0)))
			require.Equal(t, c.audio, pushList(pushSamples(t, s, 1)))
		})
	}
}

// TestPushTimescale: fragments in other timescales adjoin to the tick, whatever is rounded.
func TestPushTimescale(t *testing.T) {
	var body []byte
	for i := range 2000 {
		body = append(body, pushMoof(0, []byte("abcd"), pushTraf{id: 1, boxes: [][]byte{pushTfdt(uint64(i) * 2002)},
			runs: []pushRun{{flags: trunDuration | trunSize | trunFlags | trunCTS, count: 2,
				entries: push32(1001, 1, fmp4.FlagsSync, 1001, 1001, 3, fmp4.FlagsDelta, 0)}}})...)
	}
	s := pushBody(t, 30000, func(v, _ *pushTrak) { v.edit = 1001 }, body)
	require.Len(t, s.fragments, 2000)
	next := int64(0)
	for i, x := range pushSamples(t, s, 0) {
		require.Equal(t, rescale(int64(i)*1001, 30000, scale), x.time)
		require.Equal(t, rescale(int64(i)*1001+1001*int64(1-i%2)-1001, 30000, scale), x.time+x.cts, "shown when the edit list says")
	}
	for _, f := range s.fragments {
		require.Equal(t, next, f.time)
		next += int64(f.duration)
	}
	require.Equal(t, rescale(2000*2002, 30000, scale), next)

	s = pushBody(t, 48000, func(_, a *pushTrak) { a.edit = 1024 }, pushMoof(0, []byte("ab"), pushTraf{id: 2, boxes: [][]byte{pushTfdt(0)},
		runs: []pushRun{{flags: trunDuration | trunSize | trunFlags, count: 2, entries: push32(1024, 1, fmp4.FlagsSync, 1024, 1, fmp4.FlagsSync)}}}))
	require.Equal(t, "1:-213333+426666", pushSpans(s))

	s = pushBody(t, 1000, nil, pushMoof(0, []byte("ab"), pushTraf{id: 1, runs: []pushRun{{flags: trunDuration | trunSize | trunFlags, count: 1, entries: push32(1_000_000, 2, 0)}},
		after: [][]byte{pushTfxdBox(-5, 1_000_000)}}))
	require.Equal(t, "0:-50000+10000000000", pushSpans(s), "longer than the duration of a sample can be")
}

// TestPushMalformed: fragments that cannot be placed or contradict themselves.
func TestPushMalformed(t *testing.T) {
	run := pushRun{flags: trunDuration | trunSize | trunFlags, count: 1, entries: push32(5, 2, 0)}
	at := [][]byte{pushTfxdBox(40, 6)}
	off := func(n int) pushRun { r := run; r.offset = n; return r }
	huge := pushMoof(0, nil, pushTraf{id: 1, runs: []pushRun{run}, after: at})
	binary.BigEndian.PutUint32(huge[len(huge)-8:], 70<<20)
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"no time":                     {pushMoof(0, []byte("ab"), pushTraf{id: 1, runs: []pushRun{run}}), ErrMalformed},
		"no time, not plain":          {pushMoof(0, []byte("ab"), pushTraf{id: 1, runs: []pushRun{run, run}}), ErrMalformed},
		"unknown track":               {pushMoof(0, []byte("ab"), pushTraf{id: 9, runs: []pushRun{run}, after: at}), ErrMalformed},
		"no traf":                     {pushMoof(0, []byte("ab")), ErrMalformed},
		"samples beyond mdat":         {pushMoof(0, []byte("a"), pushTraf{id: 1, runs: []pushRun{run}, after: at}), ErrMalformed},
		"samples elsewhere":           {pushMoof(0, []byte("abcdefgh"), pushTraf{id: 1, runs: []pushRun{off(7)}, after: at}), ErrMalformed},
		"samples in the moof":         {pushMoof(0, []byte("abcdefgh"), pushTraf{id: 1, runs: []pushRun{off(-20)}, after: at}), ErrMalformed},
		"samples of the other traf":   {pushMoof(0, []byte("ab"), pushTraf{id: 1, runs: []pushRun{run}, after: at}, pushTraf{id: 2, flags: tfhdBaseIsMoof, runs: []pushRun{run}, after: at}), ErrMalformed},
		"no mdat":                     {append(pushBox("moof", pushBox("traf", pushBox("tfhd", push32(0, 1)))), pushPlain(1, 0, "ab")...), ErrMalformed},
		"mdat without moof":           {pushBox("mdat", []byte("ab")), ErrMalformed},
		"mdat too large":              {huge, ErrLimit},
		"box of size 0":               {push32(0, uint32(fmp4.TypeMdat)), ErrMalformed},
		"box of size 7":               {push32(7, uint32(fmp4.TypeFree)), ErrMalformed},
		"moof of 17 MiB":              {push32(17<<20, uint32(fmp4.TypeMoof)), ErrLimit},
		"free box of 5 MiB":           {push32(5<<20, uint32(fmp4.TypeFree)), ErrLimit},
		"large box after the moof":    {append(pushBox("moof", pushBox("traf", pushBox("tfhd", push32(0, 1)))), push32(5<<20, uint32(fmp4.TypeFree))...), ErrLimit},
		"mfra too large":              {push32(65<<20, uint32(fmp4.TypeMfra)), ErrLimit},
		"time out of range":           {pushMoof(0, []byte("ab"), pushTraf{id: 1, runs: []pushRun{run}, after: [][]byte{pushTfxdBox(1<<60, 6)}}), ErrMalformed},
		"decode time out of range":    {pushMoof(0, []byte("ab"), pushTraf{id: 1, boxes: [][]byte{pushTfdt(1 << 60)}, runs: []pushRun{run, off(0)}}), ErrMalformed},
		"styp too short":              {pushBox("styp"), ErrMalformed},
		"prft too short":              {pushBox("prft", push32(1<<24, 1, 2, 3, 4)), ErrMalformed},
		"overlapping runs":            {pushMoof(0, []byte("abc"), pushTraf{id: 1, runs: []pushRun{run, run}, after: at}), ErrMalformed},
		"a million samples of 1 byte": {pushMoof(0, []byte("ab"), pushTraf{id: 1, flags: 0x38, fields: push32(1, 1, 0), runs: []pushRun{{count: 1 << 20}}, after: at}), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			s := pushBody(t, scale, nil, c.body)
			require.ErrorIs(t, s.err, c.want)
			require.ErrorContains(t, s.err, "at byte ")
			require.Empty(t, s.fragments)
		})
	}
	s := pushReadAll(t, bytes.NewReader(pushPlain(1, 0, "ab")), pushReaderConfig{})
	require.ErrorIs(t, s.err, ErrNoHeader)
}

// TestPushKnown: a request with fragments only, whose header came earlier.
func TestPushKnown(t *testing.T) {
	h := pushOneHeader(t, pushFtyp(), pushMoov(t, pushVideo(t, 1)))
	s := pushReadAll(t, bytes.NewReader(pushPlain(1, 70, "abcd")), pushReaderConfig{known: h})
	require.Equal(t, io.EOF, s.err)
	require.Empty(t, s.headers)
	require.Equal(t, "0:70+10", pushSpans(s))
}

// TestPushIgnored: fragments of tracks that a presentation cannot have are skipped.
func TestPushIgnored(t *testing.T) {
	opus := pushTrak{id: 5, media: "audio", entry: pushBox("Opus", make([]byte, 28)), defaults: fmp4.Defaults{Size: 2}}
	body := bytes.Join([][]byte{pushFtyp(), pushMoov(t, opus, pushVideo(t, 1)), pushPlain(5, 0, "abcd"), pushPlain(1, 0, "efgh"),
		pushMoof(0, []byte("abcd"), pushTraf{id: 5, runs: []pushRun{{count: 1}}}, pushTraf{id: 1, runs: []pushRun{{none: true, flags: trunSize | trunDuration | trunFlags,
			count: 1, entries: push32(5, 2, 0)}}, after: [][]byte{pushTfxdBox(10, 5)}})}, nil)
	s := pushReadAll(t, bytes.NewReader(body), pushReaderConfig{})
	require.Equal(t, io.EOF, s.err)
	require.Equal(t, "0:0+10 0:10+5", pushSpans(s))
	require.Equal(t, "cd", string(s.fragments[1].payload))
}

// TestPushEncryption: sample encryption survives, in the form that the head has.
func TestPushEncryption(t *testing.T) {
	senc := append(push32(2, 2), bytes.Repeat([]byte{0xaa}, 2*8+2*2)...)
	traf := pushTraf{id: 1, flags: 0x38, fields: push32(5, 2, 0), boxes: [][]byte{pushTfdt(100)}, runs: []pushRun{{count: 2}}, after: [][]byte{pushBox("senc", senc)}}
	plain := pushBody(t, scale, nil, pushMoof(0, []byte("abcd"), traf))
	converted := pushBody(t, 1000, nil, pushMoof(0, []byte("abcd"), traf))
	for _, s := range []pushSeen{plain, converted} {
		require.Len(t, s.fragments, 1)
		m, err := fmp4.ParseMoof(s.fragments[0].early[:len(s.fragments[0].early)-8], 0)
		require.NoError(t, err)
		require.Equal(t, senc, m.Trafs[0].Encryption)
	}
}

// TestPushTrust: memory grows with the bytes that arrive, not with what a header claims.
func TestPushTrust(t *testing.T) {
	e := smoothtest.NewEncoder(smoothtest.Default())
	const claimed = 60 << 20
	run := pushRun{flags: trunDuration | trunSize | trunFlags, count: 1, entries: push32(5, claimed, 0)}
	for name, runs := range map[string][]pushRun{"plain": {run}, "parsed": {run, {flags: trunSize, count: 1, entries: push32(0)}}} {
		t.Run(name, func(t *testing.T) {
			head := pushMoof(0, nil, pushTraf{id: 1, runs: runs, after: [][]byte{pushTfxdBox(40, 6)}})
			binary.BigEndian.PutUint32(head[len(head)-8:], claimed+8)
			pool := newPool()
			r, w := io.Pipe()
			done := make(chan error, 1)
			p := newPushReader(r, pushReaderConfig{pool: pool, limits: Limits{}.withDefaults()})
			go func() {
				_, err := p.next()
				if err == nil {
					_, err = p.next()
				}
				done <- err
			}()
			w.Write(append(e.Header(), head...))
			piece := make([]byte, 256<<10)
			for sent := 0; sent < 16<<20; sent += len(piece) {
				require.LessOrEqual(t, pool.used.Load(), int64(2*sent+3*trusted), "after %d bytes", sent)
				w.Write(piece)
			}
			w.Close()
			require.ErrorIs(t, <-done, io.ErrUnexpectedEOF)
			require.Zero(t, pool.used.Load())
		})
	}
	t.Run("whole", func(t *testing.T) {
		payload := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
		body := append(e.Header(), pushMoof(0, payload, pushTraf{id: 1, runs: []pushRun{{flags: trunDuration | trunSize | trunFlags, count: 1,
			entries: push32(5, uint32(len(payload)), 0)}}, after: [][]byte{pushTfxdBox(40, 6)}})...)
		s := pushReadAll(t, bytes.NewReader(body), pushReaderConfig{limits: Limits{FragmentBytes: int64(len(payload)) + 8}})
		require.Equal(t, io.EOF, s.err)
		require.Equal(t, payload, s.fragments[0].payload)
		s = pushReadAll(t, bytes.NewReader(body), pushReaderConfig{limits: Limits{FragmentBytes: int64(len(payload)) + 7}})
		require.ErrorIs(t, s.err, ErrLimit)
	})
}

// TestPushProducer: prft tells when a fragment was produced.
func TestPushProducer(t *testing.T) {
	const second = 1 << 32
	prft := func(version byte, id uint32, ntp uint64, media int64) []byte {
		m := push64(uint64(media))
		if version == 0 {
			m = push32(uint32(media))
		}
		return pushBox("prft", push32(uint32(version)<<24, id), push64(ntp), m)
	}
	ntp := uint64(ntpEpoch+1_700_000_000)*second + second/2
	at := time.Unix(1_700_000_000, 5e8).UTC()
	s := pushBody(t, scale, nil, prft(1, 1, ntp, 100), prft(1, 9, 1, 1), pushPlain(1, 100, "abcd"), // now
		prft(0, 1, ntp, 100), pushPlain(1, 100+scale, "abcd"), // one second later
		prft(1, 2, ntp, 200+scale), pushPlain(1, 100+2*scale, "abcd"), pushPlain(2, 200, "abcd"), // of the other track, one second before
		prft(1, 1, ntp, 0), pushPlain(1, 10_000*scale, "abcd"), // of another clock
		prft(1, 1, 0, 0), pushPlain(1, 10_001*scale, "abcd"), prft(1, 1, 5*second, 0), pushPlain(1, 0, "abcd"))
	require.Equal(t, io.EOF, s.err)
	var got []time.Time
	for _, f := range s.fragments {
		got = append(got, f.wall)
	}
	require.Equal(t, []time.Time{at, at.Add(time.Second), {}, at.Add(-time.Second), at, {}, time.Date(2036, 2, 7, 6, 28, 21, 0, time.UTC)}, got)
}
