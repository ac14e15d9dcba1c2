package archive

import "slices"

// File is the name of the file that an input stream is recorded in, in the directory of the newest segment that has one; "" if there
// is none yet. Statistics show it.
func (r *recording) File(input string) string {
	r.mu.Lock()
	segments := r.segments
	r.mu.Unlock()
	for _, s := range slices.Backward(segments) {
		media := s.media()
		for j := len(media) - 1; j >= 0; j-- {
			if media[j].input == input {
				return media[j].name
			}
		}
	}
	return ""
}
