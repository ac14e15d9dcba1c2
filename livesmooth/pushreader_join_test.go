package livesmooth

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/fmp4"
)

// pushChunk is a chunk of one sample: of video, track 1, if id is 1.
func pushChunk(id uint32, time, duration uint64, sync bool, payload string, boxes ...[]byte) []byte {
	flags := uint32(fmp4.FlagsDelta)
	if sync {
		flags = fmp4.FlagsSync
	}
	return pushMoof(0, []byte(payload), pushTraf{id: id, flags: tfhdBaseIsMoof, boxes: [][]byte{pushTfdt(time)},
		runs: []pushRun{{flags: trunDuration | trunSize | trunFlags, count: 1, entries: push32(uint32(duration), uint32(len(payload)), flags)}}, after: boxes})
}

func pushV(time, duration uint64, sync bool, payload string) []byte {
	return pushChunk(1, time, duration, sync, payload)
}

func pushA(time, duration uint64, payload string) []byte {
	return pushChunk(2, time, duration, true, payload)
}

// TestPushJoin: chunks of low-latency CMAF become fragments again. The timescale is 1000.
func TestPushJoin(t *testing.T) {
	segment, chunk, last := pushStyp("msdh", "msix"), pushStyp("cmfl"), pushStyp("msdh", "lmsg")
	for _, c := range []struct {
		name  string
		body  [][]byte
		spans string // in ms
		ends  int
	}{
		{"video", [][]byte{segment, pushV(0, 100, true, "a"), pushV(100, 100, false, "b"), pushV(200, 100, false, "c"), segment, pushV(300, 100, true, "d"), pushV(400, 100, false, "e")},
			"0:0+300=abc 0:300+200=de", 0},
		{"video without styp", [][]byte{pushV(0, 100, true, "a"), pushV(100, 100, false, "b")}, "0:0+100=a 0:100+100=b", 0},
		{"styp of each chunk", [][]byte{segment, pushV(0, 100, true, "a"), chunk, pushV(100, 100, false, "b"), segment, pushV(200, 100, true, "c")},
			"0:0+200=ab 0:200+100=c", 0},
		{"several segments in one", [][]byte{segment, pushV(0, 100, true, "a"), pushV(100, 100, false, "b"), pushV(200, 100, true, "c")}, "0:0+200=ab 0:200+100=c", 0},
		{"gap", [][]byte{segment, pushV(0, 100, true, "a"), pushV(150, 100, false, "b")}, "0:0+100=a 0:150+100=b", 0},
		{"rounded times", [][]byte{segment, pushV(0, 100, true, "a"), pushV(101, 100, false, "b")}, "0:0+200=ab", 0},
		{"sound", [][]byte{segment, pushA(0, 20, "a"), pushA(20, 20, "b"), chunk, pushA(40, 20, "c"), segment, pushA(60, 20, "d")}, "1:0+60=abc 1:60+20=d", 0},
		{"sound in whole segments", [][]byte{segment, pushA(0, 2000, "a"), pushA(2000, 2000, "b"), pushA(4000, 500, "c")}, "1:0+2000=a 1:2000+2000=b 1:4000+500=c", 0},
		{"sound without end", [][]byte{segment, pushManyA(150)}, "1:0+60000=60000 1:60000+15000=15000", 0},
		{"two tracks", [][]byte{segment, pushV(0, 100, true, "a"), pushA(0, 100, "A"), pushV(100, 100, false, "b"), pushA(100, 100, "B"), segment, pushA(200, 100, "C"), pushV(200, 100, true, "c")},
			"1:0+200=AB 0:0+200=ab 0:200+100=c 1:200+100=C", 0},
		{"last segment", [][]byte{segment, pushV(0, 100, true, "a"), last, pushV(100, 100, true, "b"), pushV(200, 100, false, "c")}, "0:0+100=a 0:100+200=bc", 1},
		{"last segment and another one", [][]byte{last, pushV(0, 100, true, "a"), last, pushV(100, 100, false, "b"), segment, pushV(200, 100, true, "c")}, "0:0+200=ab 0:200+100=c", 1},
		{"nothing after the last one", [][]byte{segment, pushV(0, 100, true, "a"), last}, "0:0+100=a", 1},
		{"mfra", [][]byte{segment, pushV(0, 100, true, "a"), pushV(100, 100, false, "b"), pushBox("mfra")}, "0:0+200=ab", 1},
		{"empty chunks", [][]byte{segment, pushV(0, 100, true, ""), pushV(100, 100, false, "")}, "0:0+200=", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pushBody(t, 1000, nil, c.body...)
			require.Equal(t, io.EOF, s.err)
			require.Equal(t, c.spans, pushInMS(s))
			require.Equal(t, c.ends, s.ends)
			require.Equal(t, pushInMS(s), pushInMS(pushBody(t, 1000, nil, append(c.body, pushFtyp(), pushMoov(t, pushVideo(t, 1)))...)), "a new header completes them, too")
		})
	}
}

func pushManyA(n int) (all []byte) {
	for i := range n {
		all = append(all, pushA(uint64(i)*500, 500, string(make([]byte, 500)))...)
	}
	return all
}

// pushInMS shows track, time, duration and payload, or the size of a long one.
func pushInMS(s pushSeen) string {
	var b bytes.Buffer
	for i, f := range s.fragments {
		if i > 0 {
			b.WriteByte(' ')
		}
		payload := any(string(f.payload))
		if len(f.payload) > 10 {
			payload = len(f.payload)
		}
		fmt.Fprintf(&b, "%d:%d+%d=%v", f.track, f.time/(scale/1000), f.duration/(scale/1000), payload)
	}
	return b.String()
}

// TestPushJoinLatency: a fragment is returned as soon as it is known to be complete.
func TestPushJoinLatency(t *testing.T) {
	v := pushVideo(t, 1)
	v.timescale = 1000
	r, w := io.Pipe()
	p := newPushReader(r, pushReaderConfig{pool: newPool(), limits: Limits{}.withDefaults()})
	go func() {
		w.Write(append(pushFtyp(), pushMoov(t, v)...))
		for i := range uint64(3) {
			w.Write(pushStyp("msdh"))
			w.Write(pushV(2000*i, 2000, true, "abc"))
		}
		<-t.Context().Done() // the connection stays open
	}()
	item, err := p.next()
	require.NoError(t, err)
	require.IsType(t, &pushHeader{}, item)
	for i := range 3 { // the first whole segment is waited for; after that it is clear that they are whole
		item, err := p.next()
		require.NoError(t, err)
		require.EqualValues(t, i*2*scale, item.(*pushFragment).time)
	}
}

func TestPushJoinEncryption(t *testing.T) {
	senc := func(n int) []byte {
		return pushBox("senc", push32(2, uint32(n)), bytes.Repeat([]byte{byte(n), 1, 2, 3, 4, 5, 6, 7, 0, 0}, n))
	}
	join := func(first, second []byte) pushSeen {
		body := [][]byte{pushStyp("msdh")}
		for i, enc := range [][]byte{first, second} {
			var boxes [][]byte
			if enc != nil {
				boxes = [][]byte{enc}
			}
			body = append(body, pushChunk(1, uint64(i)*100, 100, i == 0, "abcd", boxes...))
		}
		return pushBody(t, 1000, nil, body...)
	}
	s := join(senc(1), senc(1))
	require.Equal(t, io.EOF, s.err)
	require.Len(t, s.fragments, 1)
	m, err := fmp4.ParseMoof(s.fragments[0].early[:len(s.fragments[0].early)-8], 0)
	require.NoError(t, err)
	require.Equal(t, append(push32(2, 2), bytes.Repeat([]byte{1, 1, 2, 3, 4, 5, 6, 7, 0, 0}, 2)...), m.Trafs[0].Encryption)
	require.ErrorIs(t, join(senc(1), nil).err, ErrMalformed)
	require.ErrorIs(t, join(nil, senc(1)).err, ErrMalformed)
	require.ErrorIs(t, join(senc(1), pushBox("senc", push32(0, 1), make([]byte, 8))).err, ErrMalformed)
	require.ErrorIs(t, join(senc(1), pushBox("senc")).err, ErrMalformed)
}

// TestPushJoinLimit: chunks that never make a whole.
func TestPushJoinLimit(t *testing.T) {
	body := append(pushFtyp(), pushMoov(t, pushVideo(t, 1))...)
	body = append(body, pushStyp("msdh")...)
	for i := range uint64(40) {
		body = append(body, pushV(i*10, 10, i == 0, string(make([]byte, 1000)))...)
	}
	s := pushReadAll(t, bytes.NewReader(body), pushReaderConfig{limits: Limits{FragmentBytes: 30_000}})
	require.ErrorIs(t, s.err, ErrLimit)
	s = pushReadAll(t, bytes.NewReader(body), pushReaderConfig{limits: Limits{FragmentBytes: 50_000}})
	require.Equal(t, io.EOF, s.err)
	require.Len(t, s.fragments[0].payload, 40_000)
}
