package alias

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// MaxCatalog bounds the locators and the assets of a [Catalog].
const MaxCatalog = 1 << 20

// Locator is a streaming locator of Azure Media Services: the GUID that URLs of an asset begin with,
// https://HOST/LOCATOR/NAME.ism/manifest. It differs from the GUID of the asset.
type Locator struct {
	// ID is the GUID, in lower case.
	ID string
	// Asset is the name of the asset, or its GUID in lists of the version 2 API.
	Asset string
	// Container is the name of the blob container, if the list has it.
	Container string
}

// Asset is an asset of Azure Media Services, whose files are in a blob container that is called "asset-" and its GUID
// unless somebody chose another name.
type Asset struct {
	Name, ID, Container string
}

// Catalog is what lists of an Azure Media Services account say. The zero value is empty. It is for one goroutine.
type Catalog struct {
	Locators []Locator
	Assets   []Asset
}

// Read adds what a list says, in any of these forms:
//
//   - what "az ams streaming-locator list" and "az ams asset list" print as JSON, also redirected by PowerShell (UTF-16),
//   - answers of the REST API, version 3 (streamingLocators, listStreamingLocators, assets) and 2 (Locators, Assets),
//     also several, one after another, where a list has several pages,
//   - CSV with the columns locator, asset or container, and container, in this order or named in the first line.
//
// A list of assets is needed only where containers are not called after their assets. The error joins those of the
// first entries that are wrong; the others are added nevertheless.
func (c *Catalog) Read(r io.Reader) error {
	data, err := readAll(r)
	if err != nil {
		return err
	}
	var errs errorList
	if begin := bytes.TrimSpace(data[:min(len(data), 1024)]); len(begin) > 0 && (begin[0] == '[' || begin[0] == '{') {
		c.readJSON(data, &errs)
	} else {
		c.readCSV(data, &errs)
	}
	return errs.join()
}

func (c *Catalog) addLocator(l Locator) error {
	l.ID = strings.ToLower(strings.Trim(l.ID, "{}"))
	switch {
	case !isGUID(l.ID):
		return fmt.Errorf("%w: locator %q is no GUID", ErrCatalog, shorten(l.ID))
	case l.Asset == "" && l.Container == "":
		return fmt.Errorf("%w: locator %s has neither an asset nor a container", ErrCatalog, l.ID)
	case len(c.Locators) == MaxCatalog:
		return fmt.Errorf("%w: more than %d locators", ErrTooLarge, MaxCatalog)
	}
	c.Locators = append(c.Locators, l)
	return nil
}

func (c *Catalog) addAsset(a Asset) error {
	switch {
	case a.Name == "" && a.ID == "":
		return fmt.Errorf("%w: asset without a name", ErrCatalog)
	case len(c.Assets) == MaxCatalog:
		return fmt.Errorf("%w: more than %d assets", ErrTooLarge, MaxCatalog)
	}
	c.Assets = append(c.Assets, a)
	return nil
}

// resolver finds containers of locators.
type resolver struct {
	dirs   map[string]string // containers that are there, by folded name
	assets map[string]string // containers of assets, by folded name and GUID
}

func (c *Catalog) resolver(dirs []string) resolver {
	r := resolver{dirs: make(map[string]string, len(dirs)), assets: make(map[string]string)}
	for _, d := range dirs {
		if folded := strings.ToLower(d); r.dirs[folded] == "" {
			r.dirs[folded] = d
		}
	}
	for _, a := range c.Assets {
		container := a.Container
		if container == "" {
			container = "asset-" + a.ID
		}
		for _, id := range [...]string{a.Name, a.ID} {
			if id != "" {
				r.assets[strings.ToLower(id)] = container
			}
		}
	}
	return r
}

// container returns the container of a locator that is there.
func (r *resolver) container(l Locator) (dir string, ok bool) {
	asset := strings.ToLower(l.Asset)
	for _, name := range [...]string{l.Container, r.assets[asset], asset, "asset-" + asset} {
		if dir, ok := r.dirs[strings.ToLower(name)]; ok && name != "" {
			return dir, true
		}
	}
	return "", false
}
