package manage

import (
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/smooth"
)

// Modules other than HLS do nothing here. They are kept as text in metas of the .isml file, so that what a client has
// configured comes back to it.

// modulePrefix begins the name of a meta with a module; its id follows.
const modulePrefix = "management-module-"

// Limits of modules that are kept: their number, and the length of an id and of the text of each in bytes.
const (
	maxModules    = 8
	maxModuleID   = 64
	maxModuleText = 16 << 10
)

// checkKept returns an error if modules in a document are beyond the limits.
func checkKept(e *element, modules []*element) error {
	if len(modules) > maxModules {
		return e.fail(codeData, "more than %d unknown modules", maxModules)
	}
	for _, m := range modules {
		if id, _ := m.attr("id"); len(id) > maxModuleID {
			return m.fail(codeData, "an id of more than %d bytes", maxModuleID)
		}
		if len(moduleText(m)) > maxModuleText {
			return m.fail(codeData, "more than %d bytes", maxModuleText)
		}
	}
	return nil
}

// moduleText returns a module as it is kept.
func moduleText(m *element) string { return string(m.append(nil, "", "")) }

// setKeptModules replaces the modules in the metas of settings.
func setKeptModules(s *livesmooth.Settings, modules []*element) {
	s.Extra = slices.DeleteFunc(s.Extra, func(a smooth.Attribute) bool { return strings.HasPrefix(a.Name, modulePrefix) })
	for _, m := range modules {
		id, _ := m.attr("id")
		s.Extra = append(s.Extra, smooth.Attribute{Name: modulePrefix + strings.ToLower(id), Value: moduleText(m)})
	}
}

// keptModules returns the modules in the metas of settings. What an editor has broken is left out.
func keptModules(s *livesmooth.Settings) (modules []*element) {
	for _, a := range s.Extra {
		if !strings.HasPrefix(a.Name, modulePrefix) || len(a.Value) > maxBody {
			continue
		}
		m, err := parseElement([]byte(a.Value))
		if err == nil && m.space == nsManagement && m.name == "Module" {
			modules = append(modules, m)
		}
	}
	return modules
}
