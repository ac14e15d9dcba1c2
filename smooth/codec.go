package smooth

// Codec is the codec configuration of one track, in the terms of Smooth Streaming and of ISO files. It is immutable.
type Codec struct {
	// Type is the kind of the track.
	Type StreamType
	// FourCC as written in QualityLevel: H264, hev1, WVC1, AACL, AACH, WMAP, EC-3, TTML, ...
	FourCC string
	// PrivateData is the content of CodecPrivateData: for H.264 and HEVC the parameter sets, each after a
	// four-byte start code; for AAC the AudioSpecificConfig.
	PrivateData []byte
	// SampleEntry is the sample entry box (avc1, mp4a, ...) of ISO/IEC 14496-12 8.5.2, header included. Nil when the
	// input has none; then [Codec.BuildSampleEntry] makes one.
	SampleEntry []byte
	// NALULengthSize is the size in bytes of the length before each NAL unit; 0 for codecs without NAL units.
	NALULengthSize uint8
	// Width and Height are the coded size in pixels after cropping; DisplayWidth and DisplayHeight include the
	// pixel aspect ratio. Zero for other types.
	Width, Height, DisplayWidth, DisplayHeight uint32
	// SamplingRate in Hz (the output rate for HE-AAC), Channels, BitsPerSample and PacketSize in bytes, for audio.
	SamplingRate, Channels, BitsPerSample, PacketSize uint32
	// AudioTag is the WAVEFORMATEX format tag, for audio.
	AudioTag uint32
	// Encrypted reports a protected sample entry (encv, enca); KID is its default key id, if known, in CENC order.
	Encrypted bool
	KID       [16]byte
}
