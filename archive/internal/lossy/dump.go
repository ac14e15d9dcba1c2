package lossy

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
)

// Dump describes what readers see, a line for each name in order: the name with a slash for a directory, or with length and
// checksum for a file.
func (s *Store) Dump() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var lines []string
	for name := range s.names {
		switch n := s.lookup(name); {
		case n == nil || name == ".":
		case n.content == nil:
			lines = append(lines, name+"/\n")
		default:
			sum := crc32.NewIEEE()
			for i, p := range n.pages {
				if p == nil {
					p = new(page)
				}
				sum.Write(p[:min(n.size-int64(i)*pageSize, pageSize)])
			}
			lines = append(lines, fmt.Sprintf("%s %d %08x\n", name, n.size, sum.Sum32()))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
