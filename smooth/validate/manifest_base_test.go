package validate_test

import (
	"encoding/base64"
	"encoding/binary"
	"unicode/utf16"
)

// Parameter sets of two real encodings, 400x224 and 480x270, both with cropping. They are those of rx-player's test
// content (Apache-2.0).
const (
	sps400 = "000000016742800d8d6506476ffc03800385a828282a00000300020000030065c0000249e00036ed3f89f076860a96"
	pps400 = "0000000168c92352"
	sps480 = "00000001674280158d6507823fac05a828282a00000300020000030065c080016e300008952fe27c1da182e580"
	pps480 = "0000000168c92352"
)

// bases are manifests without a violation; the fixtures change one thing in one of them.
func bases() map[string]string {
	return map[string]string{
		"plain": plain, "live": live, "protected": protected(wrmHeader), "composite": composite, "sparse": sparse,
		"hevc": hevc, "attributes": attributes, "ec3": ec3, "aach": aach, "embedded": embedded,
	}
}

const plain = `<?xml version="1.0" encoding="utf-8"?>
<SmoothStreamingMedia MajorVersion="2" MinorVersion="2" TimeScale="10000000" Duration="80000000" CanSeek="TRUE">
<StreamIndex Type="video" Name="video" Subtype="" Chunks="4" QualityLevels="2" MaxWidth="480" MaxHeight="270" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="300000" FourCC="H264" MaxWidth="400" MaxHeight="224" CodecPrivateData="` + sps400 + pps400 + `"/>
<QualityLevel Index="1" Bitrate="750000" FourCC="H264" MaxWidth="480" MaxHeight="270" CodecPrivateData="` + sps480 + pps480 + `"/>
<c n="0" t="0" d="20000000"/>
<c n="1" t="20000000" d="20000000" r="2"/>
<c n="3" t="60000000" d="20000000"><f i="0" s="1"/></c>
</StreamIndex>
<StreamIndex Type="audio" Name="audio_eng" Language="eng" Chunks="2" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(audio_eng={start time})">
<QualityLevel Index="0" Bitrate="96000" FourCC="AACL" SamplingRate="48000" Channels="2" BitsPerSample="16" PacketSize="4" AudioTag="255" CodecPrivateData="1190"/>
<c d="40000000"/><c d="39900000"/>
</StreamIndex>
<StreamIndex Type="text" Name="text_eng" Subtype="CAPT" Language="eng" TimeScale="10000000" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(text_eng={start time})">
<QualityLevel Index="0" Bitrate="1000" FourCC="TTML" CodecPrivateData=""/>
<c t="0" d="80000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

const live = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="0" IsLive="TRUE" LookAheadFragmentCount="2" DVRWindowLength="600000000">
<StreamIndex Type="video" Chunks="0" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="300000" FourCC="H264" MaxWidth="400" MaxHeight="224" CodecPrivateData="` + sps400 + pps400 + `"/>
<c t="1236046960307666" d="20000000"/><c d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

const sparse = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="40000000">
<StreamIndex Type="video" Chunks="2" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="300000" FourCC="H264" MaxWidth="400" MaxHeight="224" CodecPrivateData="` + sps400 + pps400 + `"/>
<c d="20000000"/><c d="20000000"/>
</StreamIndex>
<StreamIndex Type="text" Name="ad" Subtype="CTRL" ParentStreamIndex="video" ManifestOutput="TRUE" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(ad={start time})">
<QualityLevel Index="0" Bitrate="0"/>
<c t="10000000" d="1"><f i="0">PGFkLz4=</f></c>
</StreamIndex>
<StreamIndex Type="text" Name="ad2" Subtype="DATA" ParentStreamIndex="video" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(ad2={start time})">
<QualityLevel Index="0" Bitrate="0"/>
<c t="10000000" d="1"/>
</StreamIndex>
</SmoothStreamingMedia>`

// HEVC parameter sets of 320x180, made with ffmpeg's test source and libx265.
const (
	hevcVPS = "0000000140010c01ffff0408000003009e0800000300003c959809"
	hevcSPS = "000000014201010408000003009e0800000300003c9001410173e5cb2b349265780b7020200040000003004000000642"
	hevcPPS = "000000014401c172860c4624"
)

const hevc = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="video" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="300000" FourCC="hev1" MaxWidth="320" MaxHeight="180" CodecPrivateData="` + hevcVPS + hevcSPS + hevcPPS + `"/>
<c t="0" d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

const attributes = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="video" Chunks="1" QualityLevels="2" Url="QualityLevels({bitrate},{CustomAttributes})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="300000" FourCC="WVC1" MaxWidth="400" MaxHeight="224" CodecPrivateData="25"><CustomAttributes><Attribute Name="cam" Value="1"/></CustomAttributes></QualityLevel>
<QualityLevel Index="1" Bitrate="300000" FourCC="WVC1" MaxWidth="400" MaxHeight="224" CodecPrivateData="25"><CustomAttributes><Attribute Name="cam" Value="2"/></CustomAttributes></QualityLevel>
<c d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

const ec3 = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="audio" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(audio={start time})">
<QualityLevel Index="0" Bitrate="256000" FourCC="EC-3" SamplingRate="48000" Channels="6" BitsPerSample="16" PacketSize="1024" AudioTag="65534" CodecPrivateData="00063F000000af87fba7022dfb42a4d405cd93843bdd0800200f00"/>
<c d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

const aach = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="audio" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(audio={start time})">
<QualityLevel Index="0" Bitrate="48000" FourCC="AACH" SamplingRate="48000" Channels="2" BitsPerSample="16" PacketSize="4" AudioTag="255" CodecPrivateData="2B118800"/>
<c d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`

const embedded = `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="text" Subtype="SCMD" Name="script"><QualityLevel Index="0" Bitrate="0" FourCC="DATA"/><Content><ScriptCommand Time="1" Type="a" Command="b"/></Content></StreamIndex>
</SmoothStreamingMedia>`

const composite = `<SmoothStreamingMedia MajorVersion="1" MinorVersion="0" Duration="50000000">
<Clip Url="http://example/a.ism/Manifest" ClipBegin="150000000" ClipEnd="200000000">
<StreamIndex Type="video" Subtype="WVC1" Chunks="299" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Bitrate="2436000" FourCC="WVC1" Width="1280" Height="720" CodecPrivateData="250000010F"/>
<c t="140000000"/><c t="160000000"/><c t="180000000" d="20000000"/>
</StreamIndex>
<StreamIndex Type="audio" Subtype="WmaPro" Chunks="299" Url="QualityLevels({bitrate})/Fragments(audio={start time})">
<QualityLevel Bitrate="96000" WaveFormatEx="6201"/>
<c t="140000000"/><c t="170000000" d="40000000"/>
</StreamIndex>
</Clip>
</SmoothStreamingMedia>`

const wrmHeader = `<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA><PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO><KID>AAECAwQFBgcICQoLDA0ODw==</KID></DATA></WRMHEADER>`

// protected returns a manifest with a PlayReady object around the rights header.
func protected(header string) string {
	return protectedWith(base64.StdEncoding.EncodeToString(playReadyObject(1, utf16le(header))))
}

func protectedWith(text string) string {
	return `<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<Protection><ProtectionHeader SystemID="9A04F079-9840-4286-AB92-E65BE0885F95">` + text + `</ProtectionHeader></Protection>
<StreamIndex Type="video" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})">
<QualityLevel Index="0" Bitrate="300000" FourCC="H264" MaxWidth="400" MaxHeight="224" CodecPrivateData="` + sps400 + pps400 + `"/>
<c t="0" d="20000000"/>
</StreamIndex>
</SmoothStreamingMedia>`
}

func utf16le(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func playReadyObject(typ uint16, record []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(10+len(record)))
	out = binary.LittleEndian.AppendUint16(out, 1)
	out = binary.LittleEndian.AppendUint16(out, typ)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(record)))
	return append(out, record...)
}
