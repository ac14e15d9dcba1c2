package packager_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/internal/testmedia"
	"github.com/smoothkit/smoothkit/smooth/packager"
)

// FuzzPackage overwrites parts of the headers of MP4 files: each patch is an offset of two bytes and four bytes that
// go there. Whatever comes out, it is a whole presentation or nothing.
func FuzzPackage(f *testing.F) {
	var files [][]byte
	for _, name := range []string{"low.mp4", "fragmented.mp4"} {
		raw, err := os.ReadFile(testmedia.Media(f, name))
		require.NoError(f, err)
		files = append(files, raw)
		for _, box := range []string{"stsz", "stts", "ctts", "stsc", "stco", "stss", "elst", "mdhd", "trun", "tfhd", "tfdt"} {
			if at := bytes.Index(raw, []byte(box)); at > 0 {
				f.Add(len(files)-1, patch(nil, at+8, 0xffffffff), false)
				f.Add(len(files)-1, patch(nil, at+12, 1), true)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which int, patches []byte, twice bool) {
		raw := bytes.Clone(files[uint(which)%uint(len(files))])
		for ; len(patches) >= 6; patches = patches[6:] {
			if at := int(binary.BigEndian.Uint16(patches)); at+4 <= len(raw) {
				copy(raw[at:], patches[2:6])
			}
		}
		in := []packager.Input{{Path: "x.mp4", Reader: bytes.NewReader(raw), Size: int64(len(raw))}}
		if twice {
			in = append(in, packager.Input{Path: testmedia.Media(t, "high.mp4")})
		}
		dir := t.TempDir()
		res, err := packager.Package(t.Context(), packager.Job{Inputs: in, Dir: dir, Name: "x"})
		names := listDir(t, dir)
		if err != nil {
			require.Empty(t, names)
			return
		}
		require.ElementsMatch(t, res.Files, names)
	})
}

func patch(dst []byte, at int, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, uint16(at)), v)
}
