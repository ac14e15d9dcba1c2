package alias

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// entryJSON is a locator, an asset or a list of them, in the forms that the command line and both versions of the REST
// API print. Names are matched in any case, as encoding/json does.
type entryJSON struct {
	// A locator of version 3, with or without Properties around.
	StreamingLocatorID string `json:"streamingLocatorId"`
	AssetName          string `json:"assetName"`
	// An asset of version 3.
	Name      string `json:"name"`
	Container string `json:"container"`
	// AssetID is the GUID of an asset of version 3, and of a locator of version 2 the asset: nb:cid:UUID:...
	AssetID string `json:"assetId"`
	// ID is nb:lid:UUID:... or nb:cid:UUID:... in version 2, and a path of the resource in version 3.
	ID string `json:"id"`
	// URI of an asset of version 2 ends with the container.
	URI string `json:"uri"`

	Properties *entryJSON `json:"properties"`

	// Lists.
	Value             json.RawMessage `json:"value"`
	StreamingLocators json.RawMessage `json:"streamingLocators"`
	D                 *struct {
		Results json.RawMessage `json:"results"`
	} `json:"d"`
}

// Prefixes of the identifiers of version 2.
const (
	locatorURN = "nb:lid:uuid:"
	assetURN   = "nb:cid:uuid:"
)

// readJSON reads one or several lists.
func (c *Catalog) readJSON(data []byte, errs *errorList) {
	dec := json.NewDecoder(bytes.NewReader(data))
	for n := 1; ; {
		var list json.RawMessage
		err := dec.Decode(&list)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			errs.add(fmt.Errorf("alias: offset %d: %w: %w", dec.InputOffset(), ErrCatalog, err))
			return
		}
		n = c.readList(list, n, 0, errs)
	}
}

// readList reads an array of entries or a single one, of which the first has number n, and returns the next number.
func (c *Catalog) readList(data json.RawMessage, n, depth int, errs *errorList) int {
	if len(data) > 0 && data[0] != '[' {
		return c.readEntry(data, n, depth, errs)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		errs.add(fmt.Errorf("alias: entry %d: %w: %w", n, ErrCatalog, err))
		return n + 1
	}
	for _, data := range list {
		if len(data) > 0 && data[0] == '[' {
			errs.add(fmt.Errorf("alias: entry %d: %w: an array in an array", n, ErrCatalog))
			n++
			continue
		}
		n = c.readEntry(data, n, depth, errs)
	}
	return n
}

// readEntry reads an entry, or at the outermost level an object around a list.
func (c *Catalog) readEntry(data json.RawMessage, n, depth int, errs *errorList) int {
	var e entryJSON
	err := json.Unmarshal(data, &e)
	if err == nil && depth == 0 {
		if list := e.list(); list != nil {
			return c.readList(list, n, depth+1, errs)
		}
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrCatalog, err)
	} else {
		err = c.addEntry(&e)
	}
	if err != nil {
		errs.add(fmt.Errorf("alias: entry %d: %w", n, err))
	}
	return n + 1
}

// list returns the list that an object is around, or nil.
func (e *entryJSON) list() json.RawMessage {
	results := json.RawMessage(nil)
	if e.D != nil {
		results = e.D.Results
	}
	for _, list := range [...]json.RawMessage{e.Value, e.StreamingLocators, results} {
		if len(list) > 0 && list[0] == '[' {
			return list
		}
	}
	return nil
}

func (c *Catalog) addEntry(e *entryJSON) error {
	id, name := e.ID, e.Name
	if e.Properties != nil {
		e = e.Properties
	}
	urn := strings.ToLower(id)
	switch {
	case e.StreamingLocatorID != "":
		return c.addLocator(Locator{ID: e.StreamingLocatorID, Asset: e.AssetName, Container: e.Container})
	case strings.HasPrefix(urn, locatorURN):
		asset := strings.ToLower(e.AssetID)
		return c.addLocator(Locator{ID: urn[len(locatorURN):], Asset: strings.TrimPrefix(asset, assetURN)})
	case strings.HasPrefix(urn, assetURN):
		return c.addAsset(Asset{Name: name, ID: urn[len(assetURN):], Container: lastSegment(e.URI)})
	case e.AssetID != "" || e.Container != "":
		return c.addAsset(Asset{Name: name, ID: e.AssetID, Container: e.Container})
	}
	return fmt.Errorf("%w: neither a locator nor an asset: it has no streamingLocatorId and no container", ErrCatalog)
}

func lastSegment(uri string) string {
	if uri == "" {
		return ""
	}
	return path.Base(uri)
}
