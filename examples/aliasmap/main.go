// Command aliasmap writes a map file for a folder with copies of the containers of an Azure Media Services account, so
// that the streaming URLs of the account live on.
//
//	az ams streaming-locator list -a ACCOUNT -g GROUP -o json > locators.json
//	az ams asset list             -a ACCOUNT -g GROUP -o json > assets.json
//	go run ./examples/aliasmap -containers DIR -locators locators.json -locators assets.json -prefix /azure/ > aliases.map
//
// Without locators it knows the GUIDs in the names of containers (asset-GUID), and every NAME.ism that one container only
// has. What has no rule is told in comments at the top of the map.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/smoothkit/smoothkit/smooth/alias"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "aliasmap:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out, errOut io.Writer) error {
	var files []string
	flags := flag.NewFlagSet("aliasmap", flag.ContinueOnError)
	flags.SetOutput(errOut)
	dir := flags.String("containers", "", "`directory` with one directory per container")
	flags.Func("locators", "`file` with locators or assets as the Azure command line or API lists them, or CSV: locator,asset,container; repeatable", func(s string) error {
		files = append(files, s)
		return nil
	})
	prefix := flags.String("prefix", "/", "URL `path` at which the directory is served")
	host := flags.String("host", "", "write rules for this `host` only, such as the old streaming endpoint")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() > 0 {
		flags.Usage()
		return errors.New("one -containers is needed, and nothing besides flags")
	}
	catalog, err := readCatalog(files)
	if err != nil {
		return err
	}
	inv, err := alias.Scan(os.DirFS(*dir), &alias.ScanOptions{Prefix: *prefix, Host: *host, Catalog: catalog})
	if err != nil {
		return err
	}
	if _, err := inv.Map(); err != nil {
		return err
	}
	text, err := inv.AppendText(nil)
	if err != nil {
		return err
	}
	if len(inv.Notes) > 0 {
		fmt.Fprintf(errOut, "notes in the comments of the map: %d\n", len(inv.Notes))
	}
	_, err = out.Write(text)
	return err
}

func readCatalog(files []string) (*alias.Catalog, error) {
	catalog := new(alias.Catalog)
	for _, name := range files {
		if err := readList(catalog, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return catalog, nil
}

func readList(catalog *alias.Catalog, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return catalog.Read(f)
}
