package imports_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// leaves says which packages may import a library that only their users should have to build. What a directory may, what is below it may
// too.
var leaves = map[string][]string{
	"github.com/redis/":         {"playlist/redisstore"},
	"github.com/prometheus/":    {"smooth/usage/prom"},
	"github.com/golang-jwt/":    {"smooth/access"},
	"github.com/MicahParks/":    {"smooth/access"},
	"golang.org/x/crypto/":      {"smooth/access"},
	"go.yaml.in/":               {"examples/mediaserver"},
	"github.com/coreos/":        {"examples/mediaserver"},
	"github.com/grafov/":        {"hls"},
	"github.com/asticode/":      {"hls"},
	"github.com/Eyevinn/mp4ff/": {"smooth", "livesmooth", "hls", "archive", "throttle", "internal"},
}

// misplaced returns the imports of the module's own code that belong in another package.
func misplaced(list []goPackage) (bad []string) {
	for _, p := range list {
		from, ok := local(p.ImportPath)
		if !ok || from == "internal/e2e" || strings.HasPrefix(from, "internal/bench") {
			continue
		}
		for _, path := range p.Imports {
			for library, homes := range leaves {
				in := slices.ContainsFunc(homes, func(home string) bool { return from == home || strings.HasPrefix(from, home+"/") })
				if strings.HasPrefix(path, library) && !in {
					bad = append(bad, from+" imports "+path)
				}
			}
		}
	}
	return bad
}

func TestLeaves(t *testing.T) {
	assert.Empty(t, misplaced(listPackages(t, "-json=ImportPath,Imports", "./...")))
	wrong := goPackage{ImportPath: module + "/smooth/usage", Imports: []string{"github.com/prometheus/client_golang/prometheus"}}
	assert.Len(t, misplaced([]goPackage{wrong}), 1)
	wrong.ImportPath = module + "/smooth/usage/prom"
	assert.Empty(t, misplaced([]goPackage{wrong}))
}
