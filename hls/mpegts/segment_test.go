package mpegts_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/hls/mpegts"
)

// written is a unit and what a reader has to find of it.
type written struct {
	stream int
	unit   mpegts.Unit
	want   []byte
}

// kinds of streams in a random segment, by index.
const (
	videoStream = iota
	aacStream
	ac3Stream
	id3Stream
)

func randomStreams() []mpegts.Stream {
	return []mpegts.Stream{avc(), aac(), {Codec: mpegts.AC3, Language: "eng"}, {Codec: mpegts.ID3}}
}

// randomSegment makes units of all sizes, from the smallest on, in the order of their times. Some streams stay
// without units.
func randomSegment(r *rand.Rand, start uint64) (list []written) {
	var last [4]*written
	for i := range 1 + r.IntN(12) {
		dts := start + uint64(i)*3600
		for stream := range 4 {
			if stream != videoStream && r.IntN(2) == 0 {
				continue
			}
			u := mpegts.Unit{DTS: dts, PTS: dts + uint64(r.IntN(3))*3600, Duration: 3600}
			w := written{stream, u, nil}
			w.fill(r, i)
			list = append(list, w)
		}
	}
	for i := range list {
		last[list[i].stream] = &list[i]
	}
	for _, w := range last {
		if w != nil {
			w.unit.Last = true
		}
	}
	return list
}

// size is that of a small thing, of one about as large as a packet, or of a large one.
func size(r *rand.Rand) int {
	return 1 + []int{r.IntN(30), 100 + r.IntN(120), r.IntN(5000)}[r.IntN(3)]
}

func (w *written) fill(r *rand.Rand, i int) {
	frames := make([][]byte, 1+r.IntN(3))
	for j := range frames {
		frames[j] = nalu(r, 0x41, size(r))
	}
	switch w.stream {
	case videoStream:
		w.unit.Sync = i == 0 || r.IntN(8) == 0
		w.want = annexB([]byte{9, 0xF0})
		if w.unit.Sync {
			w.want = append(w.want, annexB(sps, pps)...)
		}
		w.want = append(w.want, annexB(frames...)...)
		w.unit.Data = sample(4, frames...)
	case aacStream:
		for _, f := range frames {
			n := len(f) + 7
			w.want = append(w.want, 0xFF, 0xF1, 0x50, 0x80|byte(n>>11), byte(n>>3), byte(n<<5)|0x1F, 0xFC)
			w.want = append(w.want, f...)
		}
		w.unit.Frames = frames
	default:
		w.unit.Data, w.want = frames[0], frames[0]
	}
}

func mux(t testing.TB, m *mpegts.Muxer, ts []byte, sequence uint64, list []written) []byte {
	t.Helper()
	ts = m.Start(ts, sequence)
	for i := range list {
		ts = appendUnit(t, m, ts, list[i].stream, &list[i].unit)
	}
	return ts
}

// TestRandomSegments reads a hundred segments, each made by a muxer of its own and joined, with a reader that knows
// nothing of the writer.
func TestRandomSegments(t *testing.T) {
	for seed := range uint64(4) {
		r := random(seed)
		start := 1<<33 - uint64(r.IntN(100*12*3600)) // the clock wraps somewhere
		var joined []byte
		var all []written
		shared := muxer(t, randomStreams()...)
		for sequence := range uint64(100) {
			list := randomSegment(r, start)
			start = list[len(list)-1].unit.DTS + 3600
			all = append(all, list...)
			alone := mux(t, muxer(t, randomStreams()...), nil, sequence, list)
			require.Equal(t, alone, mux(t, shared, garbage(len(alone)), sequence, list), "the same from a used muxer")
			joined = append(joined, alone...)
		}
		packets := demux(t, joined)
		for stream := range 4 {
			checkUnits(t, unpack(t, packets, firstPID+stream), all, stream)
		}
		checkPCR(t, packets, firstPID)
	}
}

func checkUnits(t *testing.T, got []pes, all []written, stream int) {
	t.Helper()
	all = slices.DeleteFunc(slices.Clone(all), func(w written) bool { return w.stream != stream })
	require.Len(t, got, len(all))
	const mask = 1<<33 - 1
	for i, w := range all {
		require.Equal(t, w.want, got[i].payload, "stream %d unit %d", stream, i)
		require.Equal(t, int64(w.unit.PTS&mask), got[i].pts)
		require.Equal(t, stream == videoStream && w.unit.PTS != w.unit.DTS, got[i].hasDTS)
		if got[i].hasDTS {
			require.Equal(t, int64(w.unit.DTS&mask), got[i].dts)
		}
		require.Equal(t, w.unit.Sync, got[i].first.flags&0x40 != 0)
		if w.unit.Last {
			continue
		}
		require.Zero(t, got[i].stuffing)
		require.Equal(t, (14+len(w.want)+5*b2i(got[i].hasDTS)+183+adaptationSize(got[i].first))/184, got[i].packets)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// adaptationSize returns the bytes that the content of an adaptation field needs.
func adaptationSize(p packet) int {
	switch {
	case p.hasPCR:
		return 8
	case p.flags != 0:
		return 2
	}
	return 0
}

// checkPCR demands that the clock never stands or goes back, and goes on by 100 ms at most.
func checkPCR(t *testing.T, packets []packet, pid int) (count int) {
	t.Helper()
	var last int64
	for i, p := range packets {
		if !p.hasPCR {
			continue
		}
		require.Equal(t, pid, p.pid)
		if count > 0 {
			step := (p.pcr - last) & (1<<33 - 1)
			require.True(t, step > 0 && step <= mpegts.PCRInterval, "packet %d: PCR %d after %d", i, p.pcr, last)
		}
		last = p.pcr
		count++
	}
	return count
}

// TestAbandonedSegment begins anew after a segment that was not closed.
func TestAbandonedSegment(t *testing.T) {
	write := func(m *mpegts.Muxer) []byte {
		data := sample(4, nalu(random(15), 0x41, 500))
		ts := appendUnit(t, m, m.Start(nil, 0), 1, &mpegts.Unit{PTS: 950000, Data: data})
		ts = appendUnit(t, m, ts, 0, &mpegts.Unit{DTS: 900000, Data: data, Duration: 90000, Last: true})
		return appendUnit(t, m, ts, 1, &mpegts.Unit{PTS: 951800, Data: data, Last: true})
	}
	used := muxer(t, avc(), aac(), mpegts.Stream{Codec: mpegts.ID3})
	ts := appendUnit(t, used, used.Start(nil, 9), 0, &mpegts.Unit{DTS: 900000, Data: sample(4, sps), Duration: 90000})
	appendUnit(t, used, ts, 2, &mpegts.Unit{PTS: 900000, Data: sps})
	want := write(muxer(t, avc(), aac(), mpegts.Stream{Codec: mpegts.ID3}))
	assert.Equal(t, want, write(used))
}

// TestClosing ends segments at each value of the counter with units of each small size.
func TestClosing(t *testing.T) {
	m := muxer(t, avc(), mpegts.Stream{Codec: mpegts.AC3})
	for before := range 16 {
		for size := 1; size < 600; size++ {
			ts := m.Start(garbage(40*188), 0)
			for range before {
				ts = appendUnit(t, m, ts, 1, &mpegts.Unit{Data: []byte{1}})
			}
			data := nalu(random(6), 1, size)
			ts = appendUnit(t, m, ts, 1, &mpegts.Unit{Data: data, Last: true})
			packets := demux(t, ts)
			require.Equal(t, 15, packets[len(packets)-1].counter)
			got := unpack(t, packets, firstPID+1)
			last := got[len(got)-1]
			require.Equal(t, data, last.payload)
			require.Less(t, last.packets, (size+14+183)/184+16)
			require.Equal(t, last.stuffing, max(0, last.packets-1-size), "stuffing where there are too few bytes")
		}
	}
}

// TestPCR has units of other lengths than 100 ms, alone and beside audio.
func TestPCR(t *testing.T) {
	for _, duration := range []uint32{1, 1500, 9000, 9001, 11520, 18000, 18001, 90000, 123456} {
		for name, streams := range map[string][]mpegts.Stream{
			"audio alone": {aac()},
			"video alone": {avc()},
			"both":        {avc(), aac()},
		} {
			m := muxer(t, streams...)
			var ts []byte
			var list []written
			for segment := range uint64(5) {
				list = evenSegment(len(streams), duration, segment*10)
				ts = append(ts, mux(t, m, nil, segment, list)...)
			}
			packets := demux(t, ts)
			per := 5 * (int(duration) + mpegts.PCRInterval - 1) / mpegts.PCRInterval
			require.GreaterOrEqual(t, checkPCR(t, packets, firstPID), per, "%s %d", name, duration)
			if name == "both" {
				checkArrival(t, packets, duration)
			}
		}
	}
}

// evenSegment has ten units of one duration in its first stream, and audio of 20 ms in its second.
func evenSegment(streams int, duration uint32, first uint64) (list []written) {
	data := sample(4, nalu(random(7), 0x41, 500))
	audio := func(i uint64) uint64 { return i * 1800 }
	end := (first + 10) * uint64(duration)
	next := (first*uint64(duration) + 1799) / 1800
	for i := range uint64(10) {
		dts := (first + i) * uint64(duration)
		for ; streams > 1 && audio(next) < dts; next++ {
			list = append(list, written{stream: 1, unit: mpegts.Unit{PTS: 1<<33 + audio(next), Data: data}})
		}
		list = append(list, written{unit: mpegts.Unit{
			DTS: 1<<33 + dts, PTS: 1<<33 + dts, Duration: duration, Data: data, Last: i == 9,
		}})
	}
	for ; streams > 1 && audio(next) < end; next++ {
		list = append(list, written{stream: 1, unit: mpegts.Unit{PTS: 1<<33 + audio(next), Data: data}})
	}
	if w := &list[len(list)-1]; w.stream == 1 {
		w.unit.Last = true
	} else if i := lastOf(list, 1); i >= 0 {
		list[i].unit.Last = true
	}
	return list
}

func lastOf(list []written, stream int) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].stream == stream {
			return i
		}
	}
	return -1
}

// checkArrival demands that every unit begins before the clock comes near its time.
func checkArrival(t *testing.T, packets []packet, duration uint32) {
	t.Helper()
	var pcr int64
	for _, p := range packets {
		if p.hasPCR {
			pcr = p.pcr
		}
		if p.start && p.pid >= firstPID && p.pid < firstPID+2 {
			pts, err := readTime(p.payload[9:], 2)
			require.NoError(t, err)
			ahead := (pts - pcr) << 31 >> 31 // signed, of 33 bits
			require.GreaterOrEqual(t, ahead, int64(mpegts.PCRLead), "duration %d", duration)
		}
	}
}

// TestAudioAfterVideo has audio that begins where the last picture stands.
func TestAudioAfterVideo(t *testing.T) {
	m := muxer(t, avc(), aac())
	ts := m.Start(nil, 0)
	ts = appendUnit(t, m, ts, 0, &mpegts.Unit{DTS: 900_000, PTS: 900_000, Duration: 90_000, Data: sample(4, sps), Last: true})
	for i := range uint64(10) {
		ts = appendUnit(t, m, ts, 1, &mpegts.Unit{PTS: 920_000 + i*1920, Data: sps, Last: i == 9})
	}
	packets := demux(t, ts)
	checkArrival(t, packets, 90_000)
	assert.Equal(t, 10, checkPCR(t, packets, firstPID))
}

// TestLongUnits makes no more packets than an hour of silence needs.
func TestLongUnits(t *testing.T) {
	m := muxer(t, avc(), aac())
	u := mpegts.Unit{DTS: 1 << 63, Duration: 1<<32 - 1, Data: sample(4, sps)}
	ts := appendUnit(t, m, m.Start(nil, 0), 0, &u)
	n := len(ts)
	ts = appendUnit(t, m, ts, 1, &mpegts.Unit{PTS: 1<<63 + 1<<40, Data: sps})
	assert.Equal(t, (36000-1+1)*188, len(ts)-n)
	ts = appendUnit(t, m, ts, 0, &u)
	assert.LessOrEqual(t, checkPCR(t, demux(t, ts[:n]), firstPID), 1)
	n = len(ts)
	for _, pts := range []uint64{0, 1 << 62, 1<<64 - 1, 1 << 63, 1<<63 - 1} {
		ts = appendUnit(t, m, ts, 1, &mpegts.Unit{PTS: pts, Data: sps})
	}
	assert.LessOrEqual(t, (len(ts)-n)/188, 36000+5)
}

func TestErrors(t *testing.T) {
	small := muxer(t, avc(), aac(), mpegts.Stream{Codec: mpegts.ID3}, mpegts.Stream{Codec: mpegts.AC3},
		mpegts.Stream{Codec: mpegts.AVC, NALULengthSize: 2})
	good := sample(4, nalu(random(8), 0x65, 300))
	frames := func(n, size int) [][]byte { return slices.Repeat([][]byte{make([]byte, size)}, n) }
	for _, c := range []struct {
		name   string
		stream int
		unit   mpegts.Unit
		want   error
	}{
		{"empty", 0, mpegts.Unit{}, mpegts.ErrMalformed},
		{"length cut off", 0, mpegts.Unit{Data: []byte{0, 0, 0}}, mpegts.ErrMalformed},
		{"length alone", 0, mpegts.Unit{Data: []byte{0, 0, 0, 1}}, mpegts.ErrMalformed},
		{"empty NAL unit", 0, mpegts.Unit{Data: append([]byte{0, 0, 0, 0}, good...)}, mpegts.ErrMalformed},
		{"NAL unit too long", 0, mpegts.Unit{Data: good[:len(good)-1]}, mpegts.ErrMalformed},
		{"NAL unit far too long", 0, mpegts.Unit{Data: []byte{0xFF, 0xFF, 0xFF, 0xFF, 1}}, mpegts.ErrMalformed},
		{"bytes behind", 0, mpegts.Unit{Data: append(bytes.Clone(good), 0, 0)}, mpegts.ErrMalformed},
		{"delimiter alone", 0, mpegts.Unit{Data: sample(4, []byte{9, 0xF0})}, mpegts.ErrMalformed},
		{"video in frames", 0, mpegts.Unit{Frames: [][]byte{good}}, mpegts.ErrMalformed},
		{"wrong size of length", 4, mpegts.Unit{Data: good}, mpegts.ErrMalformed},
		{"no frame", 1, mpegts.Unit{}, mpegts.ErrMalformed},
		{"empty frame", 1, mpegts.Unit{Frames: [][]byte{good, {}}}, mpegts.ErrMalformed},
		{"frames and data", 1, mpegts.Unit{Data: good, Frames: [][]byte{good}}, mpegts.ErrMalformed},
		{"ID3 in frames", 2, mpegts.Unit{Frames: [][]byte{good}}, mpegts.ErrMalformed},
		{"frame above ADTS", 1, mpegts.Unit{Data: make([]byte, 8185)}, mpegts.ErrTooLarge},
		{"frames above PES", 1, mpegts.Unit{Frames: frames(8, 8184)}, mpegts.ErrTooLarge},
		{"very many frames", 1, mpegts.Unit{Frames: frames(1<<20, 1)}, mpegts.ErrTooLarge},
		{"tag above PES", 2, mpegts.Unit{Data: make([]byte, 65528)}, mpegts.ErrTooLarge},
		{"frame above PES", 3, mpegts.Unit{Data: make([]byte, 1<<20)}, mpegts.ErrTooLarge},
		{"above all", 0, mpegts.Unit{Data: make([]byte, mpegts.MaxUnit+1)}, mpegts.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := appendUnit(t, small, small.Start(nil, 0), 0, &mpegts.Unit{Data: good, Duration: 90000})
			want := appendUnit(t, small, bytes.Clone(before), 1, &mpegts.Unit{Data: good[:20], PTS: 50000})
			small.Start(nil, 0)
			before = appendUnit(t, small, small.Start(nil, 0), 0, &mpegts.Unit{Data: good, Duration: 90000})
			c.unit.PTS, c.unit.DTS = 90000, 90000
			got, err := small.Append(before, c.stream, &c.unit)
			require.ErrorIs(t, err, c.want)
			require.Len(t, got, len(before))
			require.Equal(t, want, appendUnit(t, small, got, 1, &mpegts.Unit{Data: good[:20], PTS: 50000}), "muxer as before")
		})
	}
}

// TestLargestAudio fits exactly.
func TestLargestAudio(t *testing.T) {
	m := muxer(t, mpegts.Stream{Codec: mpegts.AC3}, aac())
	ts := appendUnit(t, m, m.Start(nil, 0), 0, &mpegts.Unit{Data: make([]byte, 65527), Last: true})
	ts = appendUnit(t, m, ts, 1, &mpegts.Unit{Data: make([]byte, 8184)})
	packets := demux(t, ts)
	assert.Equal(t, 65535, unpack(t, packets, firstPID)[0].length)
	assert.Len(t, unpack(t, packets, firstPID+1)[0].payload, 8191)
}

func TestNoAllocations(t *testing.T) {
	list := randomSegment(random(9), 900000)
	m := muxer(t, randomStreams()...)
	ts := mux(t, m, nil, 0, list)
	var err error
	allocations := testing.AllocsPerRun(20, func() {
		ts = m.Start(ts[:0], 1)
		for i := range list {
			if ts, err = m.Append(ts, list[i].stream, &list[i].unit); err != nil {
				panic(err)
			}
		}
	})
	assert.Zero(t, allocations)
}

// TestSizeBound holds the bound against what is written, unit by unit and for whole segments.
func TestSizeBound(t *testing.T) {
	for seed := range uint64(300) {
		r := random(seed)
		m := muxer(t, randomStreams()...)
		list := randomSegment(r, 900000)
		var sum [4]mpegts.Load
		whole, single := uint64(0), uint64(0)
		ts := m.Start(nil, 0)
		for _, w := range list {
			n := len(ts)
			w.unit.Duration = uint32(r.IntN(30000))
			ts = appendUnit(t, m, ts, w.stream, &w.unit)
			l := w.load()
			add(&sum[w.stream], l)
			bound := m.SizeBound(w.stream, l)
			single += bound
			if w.stream == videoStream && w.unit.PTS != w.unit.DTS && !w.unit.Last && w.unit.Duration < mpegts.PCRInterval {
				own := demux(t, ts[n:])
				require.Equal(t, int(bound), len(own)*188, "exact")
			}
		}
		for i, l := range sum {
			whole += m.SizeBound(i, l)
		}
		got := uint64(len(ts))
		rest := uint64(mpegts.TablesSize + 4*mpegts.ClosingSize)
		require.LessOrEqual(t, got, rest+single)
		require.LessOrEqual(t, single, whole)
		require.LessOrEqual(t, whole, got+uint64(len(list)*188)+rest+188*4)
	}
}

func (w *written) load() mpegts.Load {
	l := mpegts.Load{Units: 1, Sync: uint64(b2i(w.unit.Sync)), Frames: uint64(max(1, len(w.unit.Frames)))}
	l.Bytes, l.Duration = uint64(len(w.unit.Data)), uint64(w.unit.Duration)
	for _, f := range w.unit.Frames {
		l.Bytes += uint64(len(f))
	}
	return l
}

func add(sum *mpegts.Load, l mpegts.Load) {
	sum.Units += l.Units
	sum.Sync += l.Sync
	sum.Frames += l.Frames
	sum.Bytes += l.Bytes
	sum.Duration += l.Duration
}

// TestSizeBoundOfLongUnits is exact about the PCR inside of one unit, and not below it for several.
func TestSizeBoundOfLongUnits(t *testing.T) {
	for _, duration := range []uint32{0, 1, 8999, 9000, 9001, 18000, 18001, 90000} {
		m := muxer(t, avc())
		u := mpegts.Unit{DTS: 900000, PTS: 903600, Duration: duration, Data: sample(4, sps)}
		l := mpegts.Load{Units: 1, Bytes: uint64(len(u.Data)), Duration: uint64(duration)}
		ts := appendUnit(t, m, m.Start(nil, 0), 0, &u)
		n := len(ts)
		u.DTS, u.PTS = u.DTS+uint64(duration), u.PTS+uint64(duration)
		ts = appendUnit(t, m, ts, 0, &u) // with what was due before
		assert.Equal(t, int(m.SizeBound(0, l)), len(ts)-n, "duration %d", duration)
		two := mpegts.Load{Units: 2, Bytes: 2 * l.Bytes, Duration: uint64(duration)} // one of them may have no duration
		assert.GreaterOrEqual(t, m.SizeBound(0, two), m.SizeBound(0, l)+188, "duration %d", duration)
	}
}

// TestSizeBoundOfShortLengths has as many NAL units as fit.
func TestSizeBoundOfShortLengths(t *testing.T) {
	for size := 1; size <= 4; size++ {
		m := muxer(t, mpegts.Stream{Codec: mpegts.HEVC, NALULengthSize: size})
		data := sample(size, slices.Repeat([][]byte{{0x26}}, 5000)...)
		n := len(m.Start(nil, 0))
		ts := appendUnit(t, m, m.Start(nil, 0), 0, &mpegts.Unit{Data: data, PTS: 1})
		assert.Equal(t, int(m.SizeBound(0, mpegts.Load{Units: 1, Bytes: uint64(len(data))})), len(ts)-n)
	}
}
