package mpegts_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/asticode/go-astits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAstits reads a random segment with another demuxer.
func TestAstits(t *testing.T) {
	r := random(14)
	list := randomSegment(r, 900000)
	ts := mux(t, muxer(t, randomStreams()...), nil, 0, list)
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts))
	got := map[int][]*astits.PESData{}
	tables := 0
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			break
		}
		require.NoError(t, err)
		switch {
		case data.PAT != nil:
			assert.Equal(t, []*astits.PATProgram{{ProgramNumber: 1, ProgramMapID: 0x1000}}, data.PAT.Programs)
			tables++
		case data.PMT != nil:
			checkPMT(t, data.PMT)
			tables++
		case data.PES != nil:
			pid := int(data.FirstPacket.Header.PID)
			got[pid-firstPID] = append(got[pid-firstPID], data.PES)
		}
	}
	assert.Equal(t, 2, tables)
	for _, w := range list {
		require.NotEmpty(t, got[w.stream])
		p := got[w.stream][0]
		got[w.stream] = got[w.stream][1:]
		require.Equal(t, w.want, p.Data)
		require.Equal(t, int64(w.unit.PTS), p.Header.OptionalHeader.PTS.Base)
		if dts := p.Header.OptionalHeader.DTS; dts != nil {
			require.Equal(t, int64(w.unit.DTS), dts.Base)
		}
	}
	for _, rest := range got {
		assert.Empty(t, rest)
	}
}

func checkPMT(t *testing.T, pmt *astits.PMTData) {
	t.Helper()
	assert.Equal(t, uint16(firstPID), pmt.PCRPID)
	require.Len(t, pmt.ElementaryStreams, 4)
	for i, want := range []astits.StreamType{
		astits.StreamTypeH264Video, astits.StreamTypeAACAudio, astits.StreamTypeAC3Audio, astits.StreamTypeMetadata,
	} {
		assert.Equal(t, want, pmt.ElementaryStreams[i].StreamType)
		assert.Equal(t, uint16(firstPID+i), pmt.ElementaryStreams[i].ElementaryPID)
	}
	ac3 := pmt.ElementaryStreams[2].ElementaryStreamDescriptors
	require.Len(t, ac3, 2)
	assert.Equal(t, uint32(0x41432D33), ac3[0].Registration.FormatIdentifier)
	assert.Equal(t, []byte("eng"), ac3[1].ISO639LanguageAndAudioType.Language)
}
