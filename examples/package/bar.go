package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// bar draws the progress of a job on one line of a terminal, and nothing elsewhere.
type bar struct {
	w     io.Writer // nil if it is no terminal
	name  string
	drawn time.Time
}

func newBar(w io.Writer, name string) *bar {
	f, ok := w.(*os.File)
	if !ok {
		return new(bar)
	}
	if st, err := f.Stat(); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return new(bar)
	}
	return &bar{w: w, name: shorten(name)}
}

// The line has to fit into 80 columns: a longer one wraps, and every report would start another.
const (
	barWidth  = 40
	nameWidth = 16 // in characters
)

func shorten(name string) string {
	if r := []rune(name); len(r) > nameWidth {
		return string(r[:nameWidth-1]) + "…"
	}
	return name
}

func (b *bar) report(done, total int64) {
	if b.w == nil || done < total && time.Since(b.drawn) < 50*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	share := float64(done) / float64(max(total, 1))
	full := int(share * barWidth)
	fmt.Fprintf(b.w, "\r%s [%s%s] %3.0f%% of %.1f MB", b.name, strings.Repeat("#", full), strings.Repeat(".", barWidth-full), share*100, float64(total)/1e6)
}

// finish ends the line.
func (b *bar) finish() {
	if b.w != nil && !b.drawn.IsZero() {
		fmt.Fprintln(b.w)
	}
}
