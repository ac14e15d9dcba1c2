package smooth_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// keepingSource keeps the fragments that are asked for, as a cache does.
type keepingSource struct {
	smooth.Source
	kept []*smooth.Fragment
}

func (s *keepingSource) Open(ctx context.Context, name string) (smooth.Presentation, error) {
	p, err := s.Source.Open(ctx, name)
	return &keepingPresentation{p, s}, err
}

type keepingPresentation struct {
	smooth.Presentation
	source *keepingSource
}

func (p *keepingPresentation) Fragment(ctx context.Context, k smooth.FragmentKey) (*smooth.Fragment, error) {
	f, err := p.Presentation.Fragment(ctx, k)
	if err == nil {
		f.Retain()
		p.source.kept = append(p.source.kept, f)
	}
	return f, err
}

// TestHandlerLeavesRetainedFragments: the handler uses a fragment's memory again only if nobody else has the fragment.
func TestHandlerLeavesRetainedFragments(t *testing.T) {
	files := smooth.FS(smoothtest.Sample(), nil)
	defer files.Close()
	src := &keepingSource{Source: files}
	h := smooth.NewHandler(src, nil)
	var bodies [][]byte
	for _, name := range []string{"video=0", "video=20000000", "video=40000000"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sample.ism/QualityLevels(294000)/Fragments("+name+")", nil))
		require.Equal(t, http.StatusOK, w.Code, name)
		bodies = append(bodies, w.Body.Bytes())
	}
	for i, f := range src.kept {
		var b bytes.Buffer
		_, err := f.WriteTo(&b)
		require.NoError(t, err)
		assert.Equal(t, bodies[i], b.Bytes())
		assert.Equal(t, uint64(i)*20_000_000, f.Key.Time)
		f.Close()
	}
}
