package hls

import "strconv"

// fingerprint returns a text that differs between outputs whose playlists differ. Several outputs may show one source,
// and what is derived from a snapshot is kept with it. Equal outputs have equal fingerprints, on every node.
func (o *Output) fingerprint() string {
	h := mix(hashStart, uint64(o.opts.SegmentDuration))
	h = mix(h, o.opts.MaxBitrate)
	for _, set := range [...]bool{
		o.opts.OmitCodecs, o.opts.DisallowCaching, o.opts.OmitSuffixes, o.opts.OmitAudioOnly, o.opts.NoClosedCaptions,
	} {
		h = hashText(h, strconv.FormatBool(set))
	}
	h = mix(h, o.protect.identity(0))
	if o.protect != nil {
		h = hashText(h, o.protect.uri)
	}
	return strconv.FormatUint(h, 36)
}

// madeOf returns a hash of what makes a segment besides its target and its samples: its number, which is in the tables of
// MPEG-2 TS and in the initialisation vector, the form of encryption, and the track of the sound that is muxed in.
func (x *exchange) madeOf(s *segment) uint64 {
	h := x.o.protect.identity(s.number)
	if sound := x.show.sound(x.r1); sound != nil {
		h = mix(hashText(hashText(h, sound.stream.Name), sound.attrs), sound.level.Bitrate)
	}
	return h
}

// identity returns a hash of what encryption makes of a segment, but for the keys of an application's own source.
func (p *protection) identity(number uint64) uint64 {
	h := mix(hashStart, number)
	if p == nil {
		return h
	}
	h = mix(mix(hashText(h, p.method.String()), p.rotate), p.secret)
	if p.fixedIV != nil {
		h = hashText(h, string(p.fixedIV[:]))
	}
	return h
}
