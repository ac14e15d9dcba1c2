package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/http"
	"time"
)

// The sample is a minute of one channel of 16 bits at 44.1 kHz: 705,600 bit/s.
const (
	sampleRate    = 44100
	sampleSeconds = 60
)

// sample returns a handler that serves the sample.
func sample() http.Handler {
	content := wave()
	made := time.Now()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sample.wav" {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "sample.wav", made, bytes.NewReader(content))
	})
}

// wave returns the sample: a bell every half second, which goes up and down a chord.
func wave() []byte {
	const length = sampleRate * sampleSeconds * 2
	le := binary.LittleEndian
	b := make([]byte, 0, 44+length)
	b = le.AppendUint32(append(b, "RIFF"...), 36+length)
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(le.AppendUint16(b, 1), 1) // PCM, one channel
	b = le.AppendUint32(le.AppendUint32(b, sampleRate), sampleRate*2)
	b = le.AppendUint16(le.AppendUint16(b, 2), 16)
	b = le.AppendUint32(append(b, "data"...), length)
	chord := []float64{220, 277.18, 329.63, 440, 554.37, 440, 329.63, 277.18} // A major
	for i := range sampleRate * sampleSeconds {
		note, at := i/(sampleRate/2), float64(i%(sampleRate/2))/sampleRate
		swing := 2 * math.Pi * chord[note%len(chord)] * at
		v := (math.Sin(swing) + math.Sin(2*swing)/3) * math.Exp(-4*at) * min(1, at*200)
		b = le.AppendUint16(b, uint16(int16(v*12000)))
	}
	return b
}
