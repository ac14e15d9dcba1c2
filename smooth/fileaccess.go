package smooth

import (
	"context"
	"fmt"
)

// Files returns the tree that the source reads from, for packages that serve further kinds of files beside the
// presentations. It is to be used until the source is closed.
func (s *FileSource) Files() Files { return s.files }

// Resolve returns the actual name of a file: name itself if there is one of that name, else the only one that differs in
// case, as IIS would have found it. Directory listings are remembered for [FileOptions].Revalidate. The error wraps
// [ErrNotFound] if there is no such file, or several, or if name is not a valid path in the sense of [io/fs.ValidPath].
func (s *FileSource) Resolve(ctx context.Context, name string) (string, error) {
	if !validName(name) || !safePath(name) {
		return "", fmt.Errorf("smooth: %q: %w", name, ErrNotFound)
	}
	actual, err := s.names.file(ctx, name)
	if err != nil {
		return "", asNotFound(name, err)
	}
	return actual, nil
}
