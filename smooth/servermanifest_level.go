package smooth

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// QualityLevel returns the level that the params of the track describe; params that are missing or malformed leave its fields zero.
// A live encoder states all of them; on demand they only inform. WaveFormatEx, width and height are old names. See [MS-SSTR] 2.2.7.3.
func (t *ServerTrack) QualityLevel() *QualityLevel {
	l := &QualityLevel{Bitrate: t.Bitrate}
	l.FourCC, _ = t.Param("FourCC")
	l.FourCC = strings.TrimSpace(l.FourCC)
	l.CodecPrivateData = t.hexParam("CodecPrivateData")
	l.MaxWidth = cmp.Or(t.numberParam("MaxWidth"), t.numberParam("width"))
	l.MaxHeight = cmp.Or(t.numberParam("MaxHeight"), t.numberParam("height"))
	l.SamplingRate, l.Channels = t.numberParam("SamplingRate"), t.numberParam("Channels")
	l.BitsPerSample, l.PacketSize = t.numberParam("BitsPerSample"), t.numberParam("PacketSize")
	l.AudioTag, l.NALUnitLengthField = t.numberParam("AudioTag"), t.numberParam("NALUnitLengthField")
	l.setWaveFormat(t.hexParam("WaveFormatEx"))
	l.AvgBytesPerSec = 0
	return l
}

func (t *ServerTrack) hexParam(name string) []byte {
	v, _ := t.Param(name)
	b, err := hex.DecodeString(strings.TrimSpace(v))
	if err != nil {
		return nil
	}
	return b
}

func (t *ServerTrack) numberParam(name string) uint32 {
	v, _ := t.Param(name)
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// codec returns the configuration that the params describe, for a track whose sample entry cannot be read. What a sparse or control
// stream carries needs none: it goes to clients as it is.
func (t *ServerTrack) codec() (*Codec, error) {
	l := t.QualityLevel()
	if l.FourCC != "" || l.AudioTag != 0 || len(l.CodecPrivateData) > 0 {
		c, err := CodecFromQualityLevel(t.Type, &Stream{Type: t.Type, MaxWidth: l.MaxWidth, MaxHeight: l.MaxHeight}, l)
		if err == nil {
			return c, nil
		}
	}
	if t.Type == Text && (t.Parent() != "" || t.ManifestOutput() || t.HasBitrate && t.Bitrate == 0) {
		return &Codec{Type: Text, FourCC: l.FourCC, PrivateData: l.CodecPrivateData}, nil
	}
	return nil, fmt.Errorf("smooth: the server manifest does not describe the codec of %s: %w", t.Name(), ErrUnsupported)
}
