package smooth_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
)

// addSeeds adds the files below testdata that match pattern, also in UTF-16.
func addSeeds(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
		f.Add(inUTF16(string(data), binary.BigEndian, true))
	}
}

func FuzzManifest(f *testing.F) {
	addSeeds(f, "*.ismc")
	addSeeds(f, "*.csm")
	f.Add([]byte(inStream("<c d='1' r='4000000000'/>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := smooth.ParseManifest(data)
		if err != nil {
			var fe *smooth.FileError
			require.ErrorAs(t, err, &fe)
			return
		}
		first, err := m.AppendXML(nil, nil)
		require.NoError(t, err)
		again, err := smooth.ParseManifest(first)
		require.NoError(t, err, "%s", first)
		require.Equal(t, asWritten(m), asWritten(again))
		second, err := again.AppendXML(nil, nil)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

func FuzzServerManifest(f *testing.F) {
	addSeeds(f, "*.ism")
	f.Add([]byte(odditiesISM))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := smooth.ParseServerManifest(data)
		if err != nil {
			var fe *smooth.FileError
			require.ErrorAs(t, err, &fe)
			return
		}
		for i := range m.Tracks {
			tr := &m.Tracks[i]
			tr.SrcPath()
			tr.TrackID()
			tr.AttrsKey()
		}
		checkServerRoundTrip(t, m)
	})
}
