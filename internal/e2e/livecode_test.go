package e2e_test

import (
	"fmt"
	"os"
	"strings"
)

// Live pictures show the number of each frame as a row of cells along the top, so that a test knows which frames a
// client has shown, and when: codeBits cells with the bits from the lowest on, white for one, then a white and a black
// one that tell the row from anything else. The driver reads the same, see play.mjs.
const (
	codeBits  = 14 // ten minutes of frames
	codeCells = codeBits + 2
	codeRows  = 9 // a picture is as high as so many cells
	frameRate = 25
)

// codedPicture returns an ffmpeg source of pictures with frame numbers. The height is a multiple of codeRows.
func codedPicture(height int) string {
	cell := height / codeRows
	graph := fmt.Sprintf("testsrc2=s=%dx%d:r=%d", cell*codeCells, height, frameRate)
	box := func(i int, colour, when string) {
		graph += fmt.Sprintf(",drawbox=x=%d:y=0:w=%d:h=%d:c=%s:t=fill%s", i*cell, cell, cell, colour, when)
	}
	for i := range codeBits {
		box(i, "black", "")
		box(i, "white", fmt.Sprintf(`:enable=gte(mod(n\,%d)\,%d)`, 2<<i, 1<<i))
	}
	box(codeBits, "white", "")
	box(codeBits+1, "black", "")
	return graph
}

// readCodes returns the frame numbers in a file of plain pictures of one byte for each cell, -1 for a frame without one.
func readCodes(file string) ([]int, error) {
	data, err := os.ReadFile(file)
	var codes []int
	for ; len(data) >= codeCells*codeRows; data = data[codeCells*codeRows:] {
		codes = append(codes, readCode(data[:codeCells]))
	}
	return codes, err
}

func readCode(row []byte) int {
	white := func(i int) bool { return row[i] > 128 }
	if !white(codeBits) || white(codeBits+1) {
		return -1
	}
	n := 0
	for i := range codeBits {
		if white(i) {
			n |= 1 << i
		}
	}
	return n
}

// describeCodes tells frame numbers as spans, such as "100-174 200-274".
func describeCodes(codes []int) string {
	var spans []string
	for i := 0; i < len(codes); {
		j := i + 1
		for j < len(codes) && codes[j] == codes[j-1]+1 {
			j++
		}
		spans = append(spans, fmt.Sprintf("%d-%d", codes[i], codes[j-1]))
		i = j
	}
	return strings.Join(spans, " ")
}
