package alias_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/alias"
)

const (
	id2 = "0e5d2c1b-1111-4222-8333-444455556666"
	id3 = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
)

// cliList is what "az ams streaming-locator list" prints.
const cliList = `[
  {
    "alternativeMediaId": null,
    "assetName": "Film",
    "contentKeys": [],
    "created": "2023-05-02T07:41:12.3Z",
    "defaultContentKeyPolicyName": null,
    "endTime": "9999-12-31T23:59:59.999999Z",
    "filters": [],
    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Media/mediaservices/ams/streamingLocators/l1",
    "name": "l1",
    "resourceGroup": "rg",
    "streamingLocatorId": "B1A5E2C0-6F2D-4C0E-9A57-0D5A1F0C7E11",
    "streamingPolicyName": "Predefined_ClearStreamingOnly",
    "systemData": {"createdBy": null},
    "type": "Microsoft.Media/mediaservices/streamingLocators"
  }
]`

// restList is an answer of the REST API, with another page behind it.
const restList = `{"@odata.context": "c", "value": [
  {"name": "l1", "id": "/subscriptions/s", "type": "t",
   "properties": {"assetName": "Film", "streamingLocatorId": "` + id + `", "contentKeys": [{"value": "x"}]}}],
 "@odata.nextLink": "https://management.azure.com/next"}
{"value": [{"name": "l2", "properties": {"assetName": "Trailer", "streamingLocatorId": "` + id2 + `"}}]}`

const assetList = `[{"name": "Film", "assetId": "` + id3 + `", "container": "my-films", "storageEncryptionFormat": "None"},
 {"name": "Plain", "properties": {"assetId": "` + id2 + `"}}]`

// v2List has what version 2 of the API answers.
const v2List = `{"odata.metadata": "m", "value": [
 {"Id": "nb:lid:UUID:` + id + `", "Type": 2, "AssetId": "nb:cid:UUID:` + id3 + `", "Path": "http://h/` + id + `/", "Name": null}]}
{"d": {"results": [{"Id": "nb:cid:UUID:` + id3 + `", "State": 0, "Name": "Film.mp4", "Uri": "https://a.blob.core.windows.net/asset-` + id3 + `"}]}}`

func TestCatalog(t *testing.T) {
	tests := map[string]struct {
		text     string
		locators []alias.Locator
		assets   []alias.Asset
	}{
		"empty":                {"", nil, nil},
		"no locators":          {"[]", nil, nil},
		"command line":         {cliList, []alias.Locator{{ID: id, Asset: "Film"}}, nil},
		"REST in pages":        {restList, []alias.Locator{{ID: id, Asset: "Film"}, {ID: id2, Asset: "Trailer"}}, nil},
		"locators of an asset": {`{"streamingLocators":[{"name":"l","assetName":"Film","streamingLocatorId":"` + id + `"}]}`, []alias.Locator{{ID: id, Asset: "Film"}}, nil},
		"one":                  {`{"assetName":"Film","streamingLocatorId":"` + id + `"}`, []alias.Locator{{ID: id, Asset: "Film"}}, nil},
		"assets":               {assetList, nil, []alias.Asset{{Name: "Film", ID: id3, Container: "my-films"}, {Name: "Plain", ID: id2}}},
		"version 2": {
			v2List, []alias.Locator{{ID: id, Asset: id3}}, []alias.Asset{{Name: "Film.mp4", ID: id3, Container: "asset-" + id3}},
		},
		"CSV": {
			"# mine\n" + id + ",Film\n " + id2 + " , \"A, B\",c\n", []alias.Locator{{ID: id, Asset: "Film"}, {ID: id2, Asset: "A, B", Container: "c"}}, nil,
		},
		"CSV with names": {
			"#\n\nContainer;x;StreamingLocatorId\r\nasset-1;y;" + id + "\r\n", []alias.Locator{{ID: id, Container: "asset-1"}}, nil,
		},
		"braces": {"{" + id + "},Film", nil, nil}, // begins like JSON
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var c alias.Catalog
			err := c.Read(strings.NewReader(test.text))
			if name == "braces" {
				assert.ErrorIs(t, err, alias.ErrCatalog)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.locators, c.Locators)
			assert.Equal(t, test.assets, c.Assets)
		})
	}
}

func TestCatalogErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{`[`, "offset"},
		{`[1]`, "entry 1: malformed catalog"},
		{`[[]]`, "an array in an array"},
		{`[{"streamingLocatorId":"` + id + `","assetName":"a"},{"name":"x"}]`, "entry 2: malformed catalog: neither a locator nor an asset"},
		{`{"value":[{"value":[]}]}`, "neither"},
		{`{"error":{"code":"AuthorizationFailed"}}`, "neither"},
		{`[{"streamingLocatorId":"x","assetName":"a"}]`, `locator "x" is no GUID`},
		{`[{"streamingLocatorId":"` + id + `"}]`, "neither an asset nor a container"},
		{`[{"assetId":"","container":"c"}]`, "asset without a name"},
		{`[{"streamingLocatorId":5}]`, "entry 1"},
		{"\n\nfilm\n" + id + ",x\nfilm,y", "line 5"},
		{"\"", "malformed catalog"},
		{"locator,asset\n" + id, "line 2"},
	}
	for _, test := range tests {
		var c alias.Catalog
		err := c.Read(strings.NewReader(test.text))
		assert.ErrorIs(t, err, alias.ErrCatalog, test.text)
		assert.ErrorContains(t, err, test.want, test.text)
	}
	var c alias.Catalog
	err := c.Read(strings.NewReader("a,b\n" + strings.Repeat("x,y\n", 50) + id + ",Film\n"))
	assert.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 21)
	assert.Equal(t, []alias.Locator{{ID: id, Asset: "Film"}}, c.Locators, "what is right is there nevertheless")
	assert.ErrorIs(t, c.Read(brokenReader{}), errBroken)
}
