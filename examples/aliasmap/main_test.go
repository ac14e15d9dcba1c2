package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/alias"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

const locator = "b1a5e2c0-6f2d-4c0e-9a57-0d5a1f0c7e11"

// The map that it writes serves a presentation at its Azure URL, as a client asks for it.
func TestAliasMap(t *testing.T) {
	dir := t.TempDir()
	container := filepath.Join(dir, "containers", "my-film")
	if err := os.CopyFS(container, smoothtest.Sample()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"asset-1/same.ism", "asset-2/same.ism"} {
		path := filepath.Join(dir, "containers", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, path, "")
	}
	list, assets := filepath.Join(dir, "locators.json"), filepath.Join(dir, "assets.csv.json")
	write(t, list, `[{"assetName": "Film", "streamingLocatorId": "`+locator+`"}]`)
	write(t, assets, `{"value": [{"name": "Film", "properties": {"container": "my-film"}}]}`)
	var out, errOut bytes.Buffer
	args := []string{"-containers", filepath.Join(dir, "containers"), "-locators", list, "-locators", assets, "-prefix", "/azure"}
	if err := run(args, &out, &errOut); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n/"+locator+"/* /azure/my-film/*\n") || errOut.String() != "notes in the comments of the map: 1\n" {
		t.Errorf("map %s\nmessages %s", out.String(), errOut.String())
	}
	rules, err := alias.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	files := http.StripPrefix("/azure", smooth.NewHandler(smooth.Dir(filepath.Join(dir, "containers"), nil), nil))
	server := httptest.NewServer(alias.NewHandler(files, rules, nil))
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/" + locator + "/sample.ism/manifest")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %s", res.Status)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad"), "film,asset")
	for _, args := range [][]string{
		{}, {"-bad"}, {"-h"}, {"-containers", dir, "more"}, {"-containers", filepath.Join(dir, "none")}, {"-containers", dir, "-prefix", "azure"},
		{"-containers", dir, "-locators", filepath.Join(dir, "none")}, {"-containers", dir, "-locators", filepath.Join(dir, "bad")},
	} {
		var out, errOut bytes.Buffer
		if err := run(args, &out, &errOut); err == nil {
			t.Errorf("%q: no error", args)
		}
		if out.Len() > 0 {
			t.Errorf("%q: a map", args)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
