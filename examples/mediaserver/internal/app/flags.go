package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
)

// flags are what the command line says.
type flags struct {
	file    string
	check   bool
	root    string
	archive string
	listen  list
	imports list
	paths   list
	players string
	version bool
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, ", ") }

// Set implements flag.Value.
func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

func parseFlags(args []string, out io.Writer) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("mediaserver", flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&f.file, "config", "", "read this configuration `file`; see mediaserver.yaml")
	set.BoolVar(&f.check, "check", false, "say whether the configuration can be used, and what of imported files was understood, and end")
	set.StringVar(&f.root, "root", "", "serve what is below this `directory`, a copy of wwwroot")
	set.StringVar(&f.archive, "archive", "", "record live events in this `directory` and serve them; points say so in their .isml, live/demo.isml is recorded")
	set.Var(&f.listen, "listen", "`address` to listen on, several times if need be; :8080 means every interface (default "+config.DefaultAddress+")")
	set.Var(&f.imports, "import", "serve the sites of an applicationHost.config, or as a web.config says: an IIS configuration `file`")
	set.Var(&f.paths, "map", "where a directory of the old machine is now, as `OLD=NEW`, such as C:\\inetpub=/srv/inetpub")
	set.StringVar(&f.players, "players", "", "`directory` (a node_modules) or URL with dash.js and hls.js for the page")
	set.BoolVar(&f.version, "version", false, "print the version and end")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; a directory is named with -root", set.Arg(0))
	}
	return f, nil
}

// load reads the configuration file, if there is one, and what the flags say beside it.
func (f *flags) load() (*config.Config, error) {
	c, err := f.read()
	if err != nil {
		return nil, err
	}
	for _, a := range f.listen {
		c.Listen = append(c.Listen, config.Listener{Address: a})
	}
	if f.root != "" {
		if info, err := os.Stat(f.root); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("-root %s is not a directory that can be read", f.root)
		}
		if c.Sites[0].Root != "" {
			return nil, errors.New("-root: the configuration file has a root already")
		}
		c.Sites[0].Root = f.root
	}
	if f.archive != "" {
		c.Archive.Directory = f.archive
	}
	if f.players != "" {
		c.Players = f.players
	}
	return c, f.addImports(c)
}

// read reads the file, or returns what is served without one: the sample and a publishing point to try.
func (f *flags) read() (*config.Config, error) {
	if f.file != "" {
		path, err := filepath.Abs(f.file)
		if err != nil {
			return nil, err
		}
		return config.Load(path)
	}
	c, err := config.Parse(nil, "")
	if err != nil {
		return nil, err
	}
	if alone := len(f.imports) == 0; alone {
		c.Live.Demo, c.Sites[0].Sample = &alone, true
	}
	c.Files = nil
	return c, nil
}

func (f *flags) addImports(c *config.Config) error {
	paths := make(map[string]string)
	for _, p := range f.paths {
		old, now, ok := strings.Cut(p, "=")
		if !ok {
			return fmt.Errorf("-map %s: want OLD=NEW, such as C:\\inetpub=/srv/inetpub", p)
		}
		paths[old] = now
	}
	for _, name := range f.imports {
		c.Import = append(c.Import, config.Import{File: name, Paths: paths})
		c.Files = append(c.Files, name)
	}
	return nil
}
