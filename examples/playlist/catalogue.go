package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/playlist"
)

// catalogue is what a database would know: the parts of programmes by name, and advertisements by country, those of ""
// for all others. Sources are paths below the folder.
//
//	{"programmes": {"tonight": ["one.mp4", "two.ism"]}, "ads": {"": ["any.mp4"], "de": ["brot.mp4", "auto.mp4"]}}
type catalogue struct {
	Programmes map[string][]string `json:"programmes"`
	Ads        map[string][]string `json:"ads"`

	files *playlist.Files // what is not made up
}

// readCatalogue reads catalogue.json, which need not be there.
func readCatalogue(files fs.FS) (*catalogue, error) {
	c := new(catalogue)
	data, err := fs.ReadFile(files, "catalogue.json")
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(data, c)
	}
	if err != nil {
		return nil, fmt.Errorf("catalogue.json: %w", err)
	}
	return c, nil
}

// Playlist implements playlist.Provider: it is the whole of a playlist that no file holds.
func (c *catalogue) Playlist(ctx context.Context, r *playlist.Request) (*playlist.Playlist, error) {
	name, ok := strings.CutPrefix(strings.TrimSuffix(r.Path, ".isx"), "watch/")
	if !ok {
		return c.files.Playlist(ctx, r)
	}
	parts := c.Programmes[name]
	if len(parts) == 0 {
		return nil, playlist.ErrNotFound
	}
	list := &playlist.Playlist{Title: name}
	for i, src := range parts {
		list.Entries = append(list.Entries, playlist.Entry{Src: "/" + src, SrcType: playlist.RelativeURI, Title: fmt.Sprint(name, ", part ", i+1)})
	}
	if ad := c.decide(r.HTTP.FormValue("country")); ad != "" {
		list.Entries = slices.Insert(list.Entries, 1, playlist.Entry{
			Src: "/" + ad, SrcType: playlist.RelativeURI, Title: "Advertisement", Role: "advertisement",
			NoSeek: true, NoSkipForward: true,
		})
	}
	return list, nil
}

// decide chooses the advertisement of a viewer. A real one would ask who pays most for this country now.
func (c *catalogue) decide(country string) string {
	ads := c.Ads[country]
	if len(ads) == 0 {
		ads = c.Ads[""]
	}
	if len(ads) == 0 {
		return ""
	}
	return ads[rand.IntN(len(ads))]
}

// lists returns the names of the playlists that are made up.
func (c *catalogue) lists() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Programmes)) {
		names = append(names, "watch/"+name+".isx")
	}
	return names
}
