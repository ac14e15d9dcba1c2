// Package bitrate finds the encoded bit rate of media files from their headers.
//
// [Detect] looks at the first bytes of a file to see which container it is, and then at as little as that container
// needs: of a file of any size at most [MaxRead] bytes are read, mostly at its beginning and its end. (Fragmented MP4
// whose duration only its fragments say is the exception, see [MaxReadFragmented].) What it finds is an [Info]: the
// average and the stated peak rate, the duration, and how they were found.
//
//	info, err := bitrate.Detect(file, size)
//	if err != nil {
//		return err // errors.Is(err, bitrate.ErrUnknownContainer), or a *bitrate.Error with container and offset
//	}
//	fmt.Println(info.Container, info.Average, info.Duration)
//
// A [Detector] knows more: the name of the file, which decides where the content does not say what it is (MP3 and
// AAC frames after junk, formats without a signature), and rules for formats that operators add, in the form of the
// mediaFormats of IIS Bit Rate Throttling ([Format]).
//
// The average is the one that playback needs: size of the file over duration of the content. Streams without a
// container (MP3, ADTS, AC-3, AMR) leave their tags out, which can be as large as the sound and are not played; MPEG
// systems streams go by the rate between their clocks; Opus is played for less than it lasts, by what decoders drop at
// its beginning. A container that states rates but no duration (a live capture) gives those.
package bitrate
