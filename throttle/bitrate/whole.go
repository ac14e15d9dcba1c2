package bitrate

// largestWhole is the largest size that a header is believed about a file that is shorter, in bytes.
const largestWhole = 1 << 50

// whole returns the size to divide by the duration that a header states: that of the file, unless the header says that
// the file was larger. Then it was cut short, by a download that ended early or an upload that goes on, and the
// duration is that of all of it. A smaller size in a header says nothing: tags are written without correcting it.
func (s *source) whole(declared uint64) int64 {
	if declared > uint64(s.size) && declared <= largestWhole {
		return int64(declared)
	}
	return s.size
}

// believable reports whether a rate can be that of a file, in bit/s. What is not makes a parser look further.
func believable(rate int64) bool { return rate >= MinRate && rate <= MaxRate }
