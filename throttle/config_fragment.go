package throttle

import (
	"slices"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

// configForm is what a section looks like, and the parts of it that the documentation of IIS shows alone.
func configForm() iisconfig.Form {
	return iisconfig.Form{
		Name:   "bitrateThrottling",
		Parts:  []string{"throttleSettings", "connectionLimitGroups", "mediaFormats"},
		PartOf: collectionOf,
	}
}

// collectionOf returns the name of the collection that an add belongs to, which its attributes and children tell; empty
// if that is not clear.
func collectionOf(el *xmltree.Element) string {
	has := func(name string) bool { _, ok := el.GetFold(name); return ok }
	var found []string
	if slices.ContainsFunc(el.Children, func(c *xmltree.Element) bool { return c.Is("bitrateRules") || c.Is("durationRule") }) {
		found = append(found, "mediaFormats")
	}
	if slices.ContainsFunc([]string{
		"settingType", "initialBufferTimeSeconds", "throttleRatePercentage", "initialSendSizeKBytes", "throttleRateKbps",
		"connectionLimitGroup",
	}, has) {
		found = append(found, "throttleSettings")
	}
	if has("name") || has("connectionLimit") {
		found = append(found, "connectionLimitGroups")
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
