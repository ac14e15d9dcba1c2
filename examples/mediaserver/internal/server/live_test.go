package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// TestSegmentLength: a window that is shorter than three segments would leave players with little or nothing.
func TestSegmentLength(t *testing.T) {
	for _, tt := range []struct {
		window time.Duration
		hls    *livesmooth.HLSSettings
		want   time.Duration
		fits   bool
	}{
		{0, nil, 0, true},
		{18 * time.Second, nil, 0, true},
		{12 * time.Second, nil, 4 * time.Second, false},
		{0, &livesmooth.HLSSettings{}, 10 * time.Second, true},
		{time.Minute, &livesmooth.HLSSettings{SegmentLength: 4 * time.Second}, 4 * time.Second, true},
		{9 * time.Second, &livesmooth.HLSSettings{}, 3 * time.Second, false},
		{2 * time.Second, &livesmooth.HLSSettings{}, time.Second, false},
	} {
		set := livesmooth.DefaultSettings()
		set.Viewers.WindowLength, set.HLS = tt.window, tt.hls
		got, fits := segmentLength(set)
		assert.Equal(t, tt.want, got, "%v %v", tt.window, tt.hls)
		assert.Equal(t, tt.fits, fits, "%v %v", tt.window, tt.hls)
	}
}
