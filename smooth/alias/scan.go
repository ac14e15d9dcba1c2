package alias

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// MaxContainers bounds the directories that [Scan] looks into, and the presentations in all of them.
const MaxContainers = 1 << 18

// ScanOptions tunes [Scan]. A nil pointer and the zero value mean the documented defaults.
type ScanOptions struct {
	// Prefix is the URL path at which the folder is served, such as "/azure/". Empty means "/".
	Prefix string
	// Host is the host that the rules are for, such as that of the old streaming endpoint. Empty means any.
	Host string
	// Catalog has the locators. Nil means that none are known.
	Catalog *Catalog
}

// Container is a blob container that was copied to a directory.
type Container struct {
	// Name is that of the directory.
	Name string
	// Presentations are the names of the server manifests (.ism) in it.
	Presentations []string
	// Locators are the GUIDs that URLs of it begin with: those of the catalog, in order, or else that in its name.
	Locators []string
}

// Inventory is what [Scan] found. It is a plain value.
type Inventory struct {
	// Containers in the order of their names.
	Containers []Container
	// Rules for them, all of which rewrite.
	Rules []Rule
	// Notes say what has no rule and why.
	Notes []string
}

// Scan makes rules for a folder with copies of the blob containers of an Azure Media Services account, each a directory
// with the files of an asset, NAME.ism beside its .ismc and .ismv or .mp4 files. Streaming URLs of Azure are
// https://HOST/LOCATOR/NAME.ism/manifest; where a locator has filters or a download is progressive, the path begins
// with the same GUID. There are rules
//
//   - for each locator of the catalog, which takes everything below it to the container of its asset,
//   - for each container without a locator that is called asset-GUID, or GUID, the same for this GUID,
//   - for each NAME.ism that one container only has, which takes /{guid}/NAME.ism/* there, whatever GUID it is. The rules
//     above come first for the GUIDs that they know.
//
// Scan fails if the folder can not be read; what is wrong with single containers and locators is in the notes.
func Scan(fsys fs.FS, opts *ScanOptions) (*Inventory, error) {
	s := scanner{fsys: fsys, inv: new(Inventory), names: make(map[string][]string), taken: make(map[string]string)}
	if opts != nil {
		s.opts = *opts
	}
	s.prefix = strings.TrimSuffix(cmp.Or(s.opts.Prefix, "/"), "/")
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.readContainers(); err != nil {
		return nil, err
	}
	s.mapLocators()
	s.mapDirectories()
	s.mapNames()
	return s.inv, nil
}

type scanner struct {
	fsys   fs.FS
	opts   ScanOptions
	prefix string // without the slash at its end
	inv    *Inventory
	names  map[string][]string // containers that have a presentation, by its folded name
	taken  map[string]string   // containers of locators and GUIDs
	found  int                 // presentations
}

// check checks the options by a rule that has them.
func (s *scanner) check() error {
	r := Rule{Host: s.opts.Host, From: "/*", To: s.prefix + "/*"}
	_, err := compile(&r)
	if err == nil {
		_, err = compilePattern(r.To) // no query and the like
	}
	if err != nil {
		return fmt.Errorf("alias: prefix %q, host %q: %w", s.opts.Prefix, s.opts.Host, err)
	}
	return nil
}

func (s *scanner) note(format string, args ...any) {
	s.inv.Notes = append(s.inv.Notes, fmt.Sprintf(format, args...))
}

// readContainers lists the directories and the presentations in them.
func (s *scanner) readContainers() error {
	entries, err := fs.ReadDir(s.fsys, ".")
	if err != nil {
		return fmt.Errorf("alias: containers: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !s.isDir(e) {
			continue
		}
		if len(s.inv.Containers) == MaxContainers {
			return fmt.Errorf("alias: more than %d containers: %w", MaxContainers, ErrTooLarge)
		}
		if err := s.readContainer(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// isDir tells whether an entry is a directory or a link to one.
func (s *scanner) isDir(e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := fs.Stat(s.fsys, e.Name())
	return err == nil && info.IsDir()
}

func (s *scanner) readContainer(dir string) error {
	files, err := fs.ReadDir(s.fsys, dir)
	if err != nil {
		s.note("%q: %v", dir, err)
		return nil
	}
	c := Container{Name: dir}
	for _, f := range files {
		if f.IsDir() || !strings.EqualFold(path.Ext(f.Name()), ".ism") {
			continue
		}
		if s.found++; s.found > MaxContainers {
			return fmt.Errorf("alias: more than %d presentations: %w", MaxContainers, ErrTooLarge)
		}
		c.Presentations = append(c.Presentations, f.Name())
		folded := strings.ToLower(f.Name())
		s.names[folded] = append(s.names[folded], dir)
	}
	if len(c.Presentations) == 0 {
		s.note("%q has no .ism", dir)
	}
	s.inv.Containers = append(s.inv.Containers, c)
	return nil
}

// mapLocators makes the rules of locators.
func (s *scanner) mapLocators() {
	if s.opts.Catalog == nil {
		return
	}
	dirs := make([]string, len(s.inv.Containers))
	index := make(map[string]int, len(dirs))
	for i, c := range s.inv.Containers {
		dirs[i], index[c.Name] = c.Name, i
	}
	resolver := s.opts.Catalog.resolver(dirs)
	for _, l := range s.opts.Catalog.Locators {
		dir, ok := resolver.container(l)
		if !ok {
			s.note("locator %s: no container of %q", l.ID, cmp.Or(l.Container, l.Asset))
			continue
		}
		if s.mapGUID(l.ID, dir) {
			c := &s.inv.Containers[index[dir]]
			c.Locators = append(c.Locators, l.ID)
		}
	}
}

// mapDirectories makes the rules of the GUIDs in the names of directories.
func (s *scanner) mapDirectories() {
	for i := range s.inv.Containers {
		c := &s.inv.Containers[i]
		id := strings.TrimPrefix(strings.ToLower(c.Name), "asset-")
		if len(c.Locators) == 0 && isGUID(id) && s.mapGUID(id, c.Name) {
			c.Locators = append(c.Locators, id)
		}
	}
}

// mapGUID takes everything below a GUID to a container, unless there is a rule already.
func (s *scanner) mapGUID(id, dir string) bool {
	if other, ok := s.taken[id]; ok {
		if other != dir {
			s.note("%s: both of %q and %q; it leads to the first", id, other, dir)
		}
		return false
	}
	if !s.add(Rule{Host: s.opts.Host, From: "/" + id + "/*", To: s.prefix + "/" + url.PathEscape(dir) + "/*"}) {
		return false
	}
	s.taken[id] = dir
	return true
}

// mapNames makes the rules of names that one container only has.
func (s *scanner) mapNames() {
	for _, folded := range slices.Sorted(maps.Keys(s.names)) {
		dirs := s.names[folded]
		if len(dirs) > 1 {
			const most = 5
			s.note("%q is in %d containers, so only known locators lead to it: %s", folded, len(dirs), quoteList(dirs, most))
			continue
		}
		name := url.PathEscape(s.presentation(dirs[0], folded))
		s.add(Rule{
			Host: s.opts.Host, From: "/{guid}/" + name + "/*", To: s.prefix + "/" + url.PathEscape(dirs[0]) + "/" + name + "/*",
		})
	}
}

// presentation returns a name in its own case.
func (s *scanner) presentation(dir, folded string) string {
	i, _ := slices.BinarySearchFunc(s.inv.Containers, dir, func(c Container, dir string) int { return strings.Compare(c.Name, dir) })
	names := s.inv.Containers[i].Presentations
	return names[slices.IndexFunc(names, func(n string) bool { return strings.ToLower(n) == folded })]
}

// quoteList lists the first few.
func quoteList(list []string, most int) string {
	var b strings.Builder
	for i, s := range list[:min(most, len(list))] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", s)
	}
	if len(list) > most {
		b.WriteString(" ...")
	}
	return b.String()
}

// add adds a rule that is right.
func (s *scanner) add(r Rule) bool {
	if _, err := compile(&r); err != nil {
		s.note("%s: %v", r.From, err)
		return false
	}
	s.inv.Rules = append(s.inv.Rules, r)
	return true
}

// Map builds the map of the rules.
func (inv *Inventory) Map() (*Map, error) { return Build(inv.Rules...) }

// AppendText appends the rules as a map file, with the notes as comments. It implements [encoding.TextAppender] and is
// never an error.
func (inv *Inventory) AppendText(b []byte) ([]byte, error) {
	b = fmt.Appendf(b, "# %d containers, %d rules\n", len(inv.Containers), len(inv.Rules))
	for _, n := range inv.Notes {
		b = append(append(append(b, "# "...), strings.Map(printable, n)...), '\n')
	}
	for _, r := range inv.Rules {
		b, _ = r.AppendText(b)
		b = append(b, '\n')
	}
	return b, nil
}

// printable keeps a note in its line.
func printable(c rune) rune {
	if c < ' ' || c == 0x7f || c == '\u2028' || c == '\u2029' {
		return ' '
	}
	return c
}
