package bitrate_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// IDs of EBML elements.
const (
	ebmlHeader    = "\x1A\x45\xDF\xA3"
	ebmlDocType   = "\x42\x82"
	mkvSegment    = "\x18\x53\x80\x67"
	mkvSeekHead   = "\x11\x4D\x9B\x74"
	mkvSeek       = "\x4D\xBB"
	mkvSeekID     = "\x53\xAB"
	mkvSeekPos    = "\x53\xAC"
	mkvInfo       = "\x15\x49\xA9\x66"
	mkvScale      = "\x2A\xD7\xB1"
	mkvDuration   = "\x44\x89"
	mkvCluster    = "\x1F\x43\xB6\x75"
	mkvTimestamp  = "\xE7"
	mkvSimple     = "\xA3"
	mkvBlockGroup = "\xA0"
	mkvBlock      = "\xA1"
	mkvVoid       = "\xEC"
	mkvTracks     = "\x16\x54\xAE\x6B"
)

// ebml returns an element with a size of eight bytes.
func ebml(id string, parts ...[]byte) []byte {
	data := join(parts...)
	return join([]byte(id), binary.BigEndian.AppendUint64(nil, uint64(len(data))|1<<56), data)
}

// ebmlUnknown returns an element of unknown size.
func ebmlUnknown(id string, parts ...[]byte) []byte {
	return join([]byte(id), []byte{0xFF}, join(parts...))
}

func ebmlUint(id string, v uint64) []byte { return ebml(id, binary.BigEndian.AppendUint64(nil, v)) }

func ebmlFloat(id string, v float64) []byte {
	return ebml(id, binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}

func docType(name string) []byte { return ebml(ebmlHeader, ebml(ebmlDocType, []byte(name))) }

// mkvBlockAt returns a block of track 1 at a time relative to its cluster.
func mkvBlockAt(id string, relative int16, size int) []byte {
	return ebml(id, []byte{0x81, byte(uint16(relative) >> 8), byte(relative), 0x80}, noise(size))
}

// mkvClusters returns n clusters of two blocks and 20,000 bytes, a second apart, from a time on in milliseconds.
func mkvClusters(n int, from uint64) []byte {
	return repeat(n, func(i int) []byte {
		return ebml(mkvCluster, ebmlUint(mkvTimestamp, from+uint64(i)*1000),
			mkvBlockAt(mkvSimple, 0, 10_000), ebml(mkvBlockGroup, mkvBlockAt(mkvBlock, 500, 9_920)))
	})
}

func TestMatroska(t *testing.T) {
	ms := ebmlFloat(mkvDuration, 10_000)
	body := mkvClusters(10, 0)
	want := found{bitrate.Matroska, 160_200, 10, "Info duration"}
	seek := func(pos uint64) []byte {
		return ebml(mkvSeekHead, ebml(mkvVoid, zeros(9)), ebml(mkvSeek, ebml(mkvSeekID, []byte(mkvInfo)), ebmlUint(mkvSeekPos, pos)))
	}
	behind := uint64(len(seek(0)) + len(body))
	for name, c := range map[string]struct {
		data []byte
		want found
	}{
		"in front":           {join(docType("matroska"), ebml(mkvSegment, ebml(mkvInfo, ms), body)), want},
		"WebM":               {join(docType("webm"), ebml(mkvSegment, ebml(mkvInfo, ms), body)), found{bitrate.WebM, 160_200, 10, "Info duration"}},
		"padded name":        {join(docType("webm\x00\x00"), ebml(mkvSegment, ebml(mkvInfo, ms), body)), found{bitrate.WebM, 160_200, 10, "Info duration"}},
		"single precision":   {join(docType("matroska"), ebml(mkvSegment, ebml(mkvInfo, ebml(mkvDuration, []byte{0x46, 0x1C, 0x40, 0})), body)), want},
		"scale":              {join(docType("matroska"), ebml(mkvSegment, ebml(mkvInfo, ms, ebmlUint(mkvScale, 500_000)), body)), found{bitrate.Matroska, 320_400, 5, "Info duration"}},
		"behind a void":      {join(docType("matroska"), ebml(mkvVoid, zeros(8000)), ebml(mkvSegment, ebml(mkvVoid, zeros(50_000)), ebml(mkvInfo, ms), body)), found{bitrate.Matroska, 206_600, 10, "Info duration"}},
		"segment unknown":    {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo, ms), body)), want},
		"segment too large":  {join(docType("matroska"), ebmlUint(mkvSegment, 0)[:4], []byte("\x01\x00\xFF\xFF\xFF\xFF\xFF\xFF"), ebml(mkvInfo, ms), body), want},
		"at the end":         {join(docType("matroska"), ebml(mkvSegment, seek(behind), body, ebml(mkvInfo, ms))), want},
		"live":               {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo), body)), found{bitrate.Matroska, 168_600, 9.5, "last cluster"}},
		"live, zero":         {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo, ebmlFloat(mkvDuration, 0)), body)), found{bitrate.Matroska, 168_600, 9.5, "last cluster"}},
		"live, not a number": {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo, ebmlFloat(mkvDuration, math.NaN())), body)), found{bitrate.Matroska, 168_600, 9.5, "last cluster"}},
		"live, infinite":     {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo, ebmlFloat(mkvDuration, math.Inf(1))), body)), found{bitrate.Matroska, 168_600, 9.5, "last cluster"}},
		"live, joined later": {join(docType("webm"), ebmlUnknown(mkvSegment, ebml(mkvInfo), ebml(mkvTracks, zeros(100)), mkvClusters(10, 1_000_000))), found{bitrate.WebM, 168_700, 9.5, "last cluster"}},
		"SeekHead lies":      {join(docType("matroska"), ebmlUnknown(mkvSegment, seek(50_000), body)), found{bitrate.Matroska, 168_600, 9.5, "last cluster"}},
		"last cluster cut":   {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo), mkvClusters(11, 0)))[:210_000], found{bitrate.Matroska, 160_000, 10.5, "last cluster"}},
		"clusters unknown": {join(docType("webm"), ebmlUnknown(mkvSegment, ebml(mkvInfo), repeat(10, func(i int) []byte {
			return ebmlUnknown(mkvCluster, ebmlUint(mkvTimestamp, uint64(i)*1000), mkvBlockAt(mkvSimple, 500, 20_000))
		}))), found{bitrate.WebM, 168_900, 9.5, "last cluster"}},
		"ID in a block": {join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo), body, ebml(mkvVoid, []byte(mkvCluster), []byte("\x81\xE7\x88"), noise(20)))),
			found{bitrate.Matroska, 168_600, 9.5, "last cluster"}},
	} {
		t.Run(name, func(t *testing.T) { assertFound(t, c.data, c.want) })
	}
}

// TestMatroskaLargeClusters is a live recording whose last cluster begins out of reach of the end.
func TestMatroskaLargeClusters(t *testing.T) {
	large := repeat(5, func(i int) []byte {
		return ebml(mkvCluster, ebmlUint(mkvTimestamp, uint64(i)*5000), mkvBlockAt(mkvSimple, 0, 1_000_000))
	})
	data := join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo), large))
	assertFound(t, data, found{bitrate.Matroska, 1_600_000, 25, "clusters (estimated)"})
	one := join(docType("matroska"), ebmlUnknown(mkvSegment, ebml(mkvInfo), large[:900_000]))
	assertRefused(t, "", one, bitrate.Matroska, bitrate.ErrUnknownRate)
}

func TestMatroskaRefuses(t *testing.T) {
	head := docType("matroska")
	ms := ebmlFloat(mkvDuration, 10_000)
	corrupt, unknown := bitrate.ErrCorrupt, bitrate.ErrUnknownRate
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"header only":       {head, corrupt},
		"no segment":        {join(head, ebml(mkvVoid, zeros(100))), corrupt},
		"no element":        {join(head, zeros(100)), corrupt},
		"empty segment":     {join(head, ebml(mkvSegment)), unknown},
		"voids without end": {join(head, ebmlUnknown(mkvSegment, repeat(100_000, func(int) []byte { return []byte(mkvVoid + "\x80") }))), unknown},
		"number too long":   {join(head, ebml(mkvSegment, ebml(mkvInfo, ebml(mkvScale, zeros(9)), ms))), corrupt},
		"duration too long": {join(head, ebml(mkvSegment, ebml(mkvInfo, ebmlFloat(mkvDuration, 1e300)))), unknown},
		"no timestamp":      {join(head, ebml(mkvSegment, ebml(mkvInfo), ebml(mkvCluster, mkvBlockAt(mkvSimple, 0, 100)))), corrupt},
		"one moment":        {join(head, ebml(mkvSegment, ebml(mkvInfo), ebml(mkvCluster, ebmlUint(mkvTimestamp, 7)))), unknown},
	} {
		t.Run(name, func(t *testing.T) { assertRefused(t, "", c.data, bitrate.Matroska, c.want) })
	}
}

// smallMatroska has everything that is read, in few bytes.
func smallMatroska(info ...[]byte) []byte {
	return join(docType("webm"), ebmlUnknown(mkvSegment,
		ebml(mkvSeekHead, ebml(mkvSeek, ebml(mkvSeekID, []byte(mkvInfo)), ebmlUint(mkvSeekPos, 60))), ebml(mkvInfo, info...),
		ebml(mkvCluster, ebmlUint(mkvTimestamp, 0), mkvBlockAt(mkvSimple, 0, 20)),
		ebmlUnknown(mkvCluster, ebmlUint(mkvTimestamp, 1000), ebml(mkvBlockGroup, mkvBlockAt(mkvBlock, -5, 20)))))
}

func TestMatroskaCut(t *testing.T) {
	assertCut(t, "", smallMatroska(ebmlUint(mkvScale, 1_000_000), ebmlFloat(mkvDuration, 1000)))
	assertCut(t, "", smallMatroska())
}

func FuzzMatroska(f *testing.F) {
	fuzzContainer(f, "", [][]byte{
		smallMatroska(ebmlUint(mkvScale, 1_000_000), ebmlFloat(mkvDuration, 1000)),
		smallMatroska(),
		join(docType("matroska"), ebmlUnknown(mkvSegment, ebmlUnknown(mkvCluster, ebmlUint(mkvTimestamp, 5)))),
	}, "mkv-webm")
}
