package archive

import "github.com/smoothkit/smoothkit/smooth"

// addEmbedded adds what the manifest of a part has of the fragments of a control stream. A part that grows has nothing.
func (s *unionStream) addEmbedded(st *smooth.Stream) {
	for i, data := range st.Embedded {
		if len(data) == 0 || i >= len(st.Timeline) {
			continue
		}
		if s.embedded == nil {
			s.embedded = make(map[uint64][]smooth.ChunkData)
		}
		s.embedded[st.Timeline[i].Time] = data
	}
}

// embeddedIn returns what there is of each chunk of a timeline, nil if there is nothing.
func (s *unionStream) embeddedIn(line smooth.Timeline) [][]smooth.ChunkData {
	if len(s.embedded) == 0 {
		return nil
	}
	list := make([][]smooth.ChunkData, len(line))
	for i, c := range line {
		list[i] = s.embedded[c.Time]
	}
	return list
}
