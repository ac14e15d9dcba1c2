package archive

import "github.com/smoothkit/smoothkit/smooth"

// History implements [smooth.Recording].
func (r *recording) History() smooth.Presentation { return nil }
