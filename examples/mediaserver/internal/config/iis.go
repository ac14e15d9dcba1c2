package config

import "github.com/smoothkit/smoothkit/smooth/iis"

// IIS is what an imported configuration file of IIS says of a site.
type IIS struct {
	// File is where it comes from, and Data what is in it, for the packages that read sections of their own.
	File string
	Data []byte
	// Config is what package iis has read, and Site the name of the site in it: empty for a web.config.
	Config *iis.Config
	Site   string
	// Paths says where directories of the old machine are.
	Paths *iis.Paths
}
