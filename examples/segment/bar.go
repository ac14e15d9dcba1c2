package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/hls"
)

// bar draws the progress of a job on one line of a terminal, and nothing elsewhere.
type bar struct {
	w     io.Writer // nil if it is no terminal
	drawn time.Time
}

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	if !ok {
		return new(bar)
	}
	if st, err := f.Stat(); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return new(bar)
	}
	return &bar{w: w}
}

// The line has to fit into 80 columns: a longer one wraps, and every report would start another.
const barWidth = 30

func (b *bar) report(p hls.Progress) {
	if b.w == nil || p.Segments < p.TotalSegments && time.Since(b.drawn) < 50*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	share := float64(p.Bytes) / float64(max(p.TotalBytes, 1))
	full := int(share * barWidth)
	fmt.Fprintf(b.w, "\r[%s%s] %3.0f%% of %.1f MB, %d of %d segments", strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
		share*100, float64(p.TotalBytes)/1e6, p.Segments, p.TotalSegments)
}

// finish ends the line.
func (b *bar) finish() {
	if b.w != nil && !b.drawn.IsZero() {
		fmt.Fprintln(b.w)
	}
}
