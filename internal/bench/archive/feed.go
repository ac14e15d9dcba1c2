package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const (
	pointName = "live/bench.isml"
	// length is that of every fragment.
	length = 2 * time.Second
	// perTrack is how many different fragments a track has at most; they follow each other in turn.
	perTrack = 8
	// longEvent is the number of fragments of a track in six hours.
	longEvent = int(6 * time.Hour / length)
)

// shape describes an event.
type shape struct {
	rates   []uint64 // of the video levels, bits/s
	sounds  []uint64 // one language each
	length  time.Duration
	payload int // bound of a fragment's sample data in bytes
	inputs  int
	each    int // different fragments per track, at most perTrack
}

// eight are the tracks of most measurements, 15.3 Mbit/s.
func eight(inputs int) shape {
	return shape{
		rates: []uint64{6_000_000, 4_000_000, 2_500_000, 1_500_000, 800_000, 300_000}, sounds: []uint64{128_000, 64_000},
		length: length, payload: 64 << 20, inputs: inputs, each: perTrack,
	}
}

// scaled changes the bit rates.
func (s shape) scaled(by float64) shape {
	for _, list := range []*[]uint64{&s.rates, &s.sounds} {
		var rates []uint64
		for _, r := range *list {
			rates = append(rates, uint64(float64(r)*by))
		}
		*list = rates
	}
	return s
}

// streams returns the streams for smoothtest.
func (s shape) streams() []smoothtest.Stream {
	durations := []uint64{uint64(s.length / 100)}
	var list []smoothtest.Stream
	if len(s.rates) > 0 {
		v := smoothtest.Stream{Type: smooth.Video, Name: "video", Durations: durations}
		for _, r := range s.rates {
			v.Levels = append(v.Levels, smoothtest.Level{Bitrate: r})
		}
		list = append(list, v)
	}
	for i, r := range s.sounds {
		list = append(list, smoothtest.Stream{
			Type: smooth.Audio, Name: "audio" + strconv.Itoa(i+1), Durations: durations, Levels: []smoothtest.Level{{Bitrate: r}},
		})
	}
	return list
}

// perInput returns the configuration of each input stream.
func (s shape) perInput() []smoothtest.Config {
	if s.inputs == 1 {
		return []smoothtest.Config{{MaxPayload: s.payload, Streams: s.streams()}}
	}
	var list []smoothtest.Config
	for _, st := range s.streams() {
		for _, l := range st.Levels {
			one := st
			one.Levels = []smoothtest.Level{l}
			list = append(list, smoothtest.Config{MaxPayload: s.payload, Streams: []smoothtest.Stream{one}})
		}
	}
	return list
}

// feed makes the fragments of an event.
type feed struct {
	shape  shape
	inputs []smooth.InputInfo
	tracks []*track
}

// track is a track with the fragments that it repeats.
type track struct {
	input string
	in    smooth.InputTrack
	moofs [perTrack][]byte
	data  [perTrack][]byte
}

// newFeed makes all sample data.
func newFeed(s shape) (*feed, error) {
	f := &feed{shape: s}
	for i, c := range s.perInput() {
		if err := f.add(fmt.Sprintf("input%d", i+1), c); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add adds an input stream.
func (f *feed) add(id string, c smoothtest.Config) error {
	enc := smoothtest.NewEncoder(c)
	info := smooth.InputInfo{ID: id, Header: enc.Header()}
	snap, err := smoothtest.New(c).Snapshot(context.Background())
	if err != nil {
		return err
	}
	var own []*track
	for i, tr := range snap.Periods[0].Tracks {
		st := *snap.Manifest.Stream(tr.Stream)
		var level *smooth.QualityLevel
		for _, l := range st.Levels {
			if l.Bitrate == tr.Bitrate {
				level = l
			}
		}
		st.Timeline, st.Levels, st.URL, st.DeclaredChunks = nil, nil, "", 0
		in := smooth.InputTrack{
			ID: uint32(i + 1), Key: smooth.FragmentKey{Stream: tr.Stream, Attrs: tr.Attrs, Bitrate: tr.Bitrate},
			Stream: &st, Level: level, Codec: tr.Codec,
		}
		info.Tracks = append(info.Tracks, in)
		own = append(own, &track{input: id, in: in})
	}
	count := make([]int, len(own))
	r := fmp4.NewStreamReader(bytes.NewReader(enc.Until(perTrack * f.shape.length)))
	for {
		_, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		moof, err := r.Append(nil, fmp4.MaxMoof)
		if err != nil {
			return err
		}
		head, err := fmp4.Inspect(moof, 0, fmp4.Defaults{})
		if err != nil {
			return err
		}
		if _, err := r.Next(); err != nil {
			return err
		}
		mdat, err := r.Append(nil, 1<<30)
		if err != nil {
			return err
		}
		n := head.TrackID - 1
		t := own[n]
		t.moofs[count[n]], t.data[count[n]] = moof, mdat
		count[n]++
	}
	f.inputs, f.tracks = append(f.inputs, info), append(f.tracks, own...)
	return nil
}

// head returns the moof box and the mdat header of fragment n of a track, and its sample data.
func (f *feed) head(t *track, n int) (head, payload []byte, err error) {
	i := n % f.shape.each
	head, err = fmp4.Retime(make([]byte, 0, len(t.moofs[i])+64), t.moofs[i], f.at(n))
	return append(head, t.data[i][:8]...), t.data[i][8:], err
}

// at returns the time of the fragments with number n.
func (f *feed) at(n int) uint64 { return uint64(n) * uint64(f.shape.length/100) }

// fragment returns fragment n of a track as a publishing point gives it to a sink.
func (f *feed) fragment(t *track, n int) (*smooth.Fragment, error) {
	head, payload, err := f.head(t, n)
	if err != nil {
		return nil, err
	}
	k := t.in.Key
	k.Time = f.at(n)
	return smooth.NewFragment(smooth.FragmentInit{
		Key: k, Timescale: smooth.DefaultTimescale, Duration: uint64(f.shape.length / 100), Codec: t.in.Codec, Early: true,
		Head: head, Payload: payload,
	}), nil
}

// size returns the bytes of the fragments with number n.
func (f *feed) size(n int) int64 {
	total := int64(0)
	for _, t := range f.tracks {
		total += int64(len(t.moofs[n%f.shape.each]) + len(t.data[n%f.shape.each]))
	}
	return total
}

// count returns how many fragments of each track make that many bytes.
func (f *feed) count(bytes int64) int {
	n := 0
	for total := int64(0); total < bytes; n++ {
		total += f.size(n)
	}
	return n
}

// push appends the fragments with numbers from to to-1 of all tracks; took, if not nil, gets the time of each call.
func (f *feed) push(to smooth.Recording, from, until int, took func(time.Duration)) error {
	for n := from; n < until; n++ {
		for _, t := range f.tracks {
			frag, err := f.fragment(t, n)
			if err != nil {
				return err
			}
			begun := time.Now()
			if err := to.Append(context.Background(), t.input, frag); err != nil {
				return err
			}
			if took != nil {
				took(time.Since(begun))
			}
		}
	}
	return nil
}

// begin begins the event.
func (f *feed) begin(a *archive.Archive) (smooth.Recording, error) {
	r, err := a.Begin(context.Background(), smooth.EventInfo{
		Point: pointName, ID: eventID, Started: time.Now(), Archive: smooth.ArchiveSettings{Enabled: true, EventIDOnPath: true},
	})
	if err != nil {
		return nil, err
	}
	for _, in := range f.inputs {
		if err := r.Declare(context.Background(), in); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// eventID names the directory of the event, and eventDir is it.
const (
	eventID  = "event"
	eventDir = "live/bench-isml/event"
)

// open opens an archive without a log.
func open(dir string) (*archive.Archive, error) {
	return archive.New(dir, &archive.Options{Logger: slog.New(slog.DiscardHandler)})
}
