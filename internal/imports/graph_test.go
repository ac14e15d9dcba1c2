package imports_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/smoothkit/smoothkit"

// families says which top-level packages, with what is below them, the code of each may import besides internal
// ones. The parts meet in interfaces of package smooth; an application wires them.
var families = map[string][]string{
	"smooth":     {"smooth"},
	"livesmooth": {"livesmooth", "smooth"},
	"hls":        {"hls", "smooth"},
	"archive":    {"archive", "smooth"},
	"playlist":   {"playlist", "smooth"},
	"throttle":   {"throttle"},
	"internal":   {},
	"examples":   {"smooth", "livesmooth", "hls", "archive", "playlist", "throttle"},
}

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath, Export                 string
	Imports, TestImports, XTestImports []string
}

// listPackages runs go list in the root of the module.
func listPackages(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return list
		} else {
			require.NoError(t, err)
		}
		list = append(list, p)
	}
}

// local returns the path of a package of the module relative to its root, or false.
func local(path string) (string, bool) {
	path, _, _ = strings.Cut(path, " ") // "p [p.test]"
	return strings.CutPrefix(strings.TrimSuffix(path, "_test"), module+"/")
}

func family(rel string) string {
	top, _, _ := strings.Cut(rel, "/")
	return top
}

// forbidden returns why package from must not import package to (paths relative to the module), or "".
func forbidden(from, to string) string {
	f, g := family(from), family(to)
	allowed, known := families[f]
	switch {
	case !known:
		return fmt.Sprintf("%s: top-level package %s is not in the table of this test", from, f)
	case g == "internal" && f == "examples":
		return fmt.Sprintf("%s imports %s: an example shows the public packages only", from, to)
	case g == "internal":
		return ""
	case f == "examples" && g == "examples" && exampleOf(from) == exampleOf(to):
		return ""
	case !slices.Contains(allowed, g):
		return fmt.Sprintf("%s imports %s: %s may import %v and internal only", from, to, f, allowed)
	}
	return ""
}

func exampleOf(rel string) string {
	parts := strings.SplitN(rel, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// violations checks every edge between packages of the module.
func violations(list []goPackage) []string {
	var bad []string
	for _, p := range list {
		from, ok := local(p.ImportPath)
		if !ok {
			continue
		}
		if from == "internal/bench" || strings.HasPrefix(from, "internal/bench/") {
			continue // programs and tests that measure the public packages; nothing can import a main package or a test
		}
		imports := p.Imports
		if family(from) == "internal" && from != "internal/e2e" {
			imports = slices.Concat(imports, p.TestImports, p.XTestImports)
		}
		for _, path := range imports {
			if to, ok := local(path); ok && to != from {
				if why := forbidden(from, to); why != "" {
					bad = append(bad, why)
				}
			}
		}
	}
	return bad
}

func TestImportGraph(t *testing.T) {
	list := listPackages(t, "-deps", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	assert.Greater(t, len(list), 50, "go list -deps names the standard library too")
	assert.Empty(t, violations(list))
}

func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"hls", "smooth", true},
		{"hls", "hls/mpegts", true},
		{"hls/mpegts", "livesmooth", false},
		{"livesmooth", "archive", false},
		{"archive", "playlist", false},
		{"playlist", "smooth/usage", true},
		{"smooth", "hls", false},
		{"smooth/remote", "smooth", true},
		{"throttle", "smooth", false},
		{"throttle/bitrate", "internal/fmp4", true},
		{"internal/fmp4", "smooth", false},
		{"internal/fmp4", "internal/testmedia", true},
		{"smooth", "examples/mediaserver", false},
		{"examples/mediaserver", "examples/mediaserver/internal/server", true},
		{"examples/mediaserver", "examples/package", false},
		{"examples/mediaserver", "internal/fmp4", false},
		{"examples/mediaserver", "throttle", true},
		{"newthing", "smooth", false},
	} {
		got := violations([]goPackage{{ImportPath: module + "/" + c.from, Imports: []string{"fmt", module + "/" + c.to}}})
		assert.Equal(t, c.ok, len(got) == 0, "%s -> %s: %v", c.from, c.to, got)
	}
	inTest := goPackage{ImportPath: module + "/internal/fmp4", XTestImports: []string{module + "/smooth"}}
	assert.Len(t, violations([]goPackage{inTest}), 1, "tests of internal packages import no public one")
	inTest.ImportPath = module + "/internal/e2e"
	assert.Empty(t, violations([]goPackage{inTest}), "the end-to-end tests are excepted")
	inTest.ImportPath = module + "/internal/bench"
	assert.Empty(t, violations([]goPackage{inTest}), "the benchmarks are excepted")
}
