package archive

// File is the name of the file that an input stream is recorded in, in the directory of the newest segment that has one; "" if there
// is none yet. Statistics show it.
func (r *recording) File(input string) string {
	for i := len(r.segments) - 1; i >= 0; i-- {
		media := r.segments[i].media()
		for j := len(media) - 1; j >= 0; j-- {
			if media[j].input == input {
				return media[j].name
			}
		}
	}
	return ""
}
