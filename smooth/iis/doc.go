// Package iis reads the configuration of IIS, and serves plain files as IIS did, so that a copy of its folder can be
// served at the old URLs.
//
//	data, err := os.ReadFile("applicationHost.config")
//	config, err := iis.Parse(data)
//	for _, note := range config.Notes {
//		fmt.Println(note)
//	}
//	site := config.Site("Default Web Site")
//	dir, ok := paths.Map(site.Applications[0].VirtualDirectories[0].PhysicalPath)
//	root, err := os.OpenRoot(dir)
//
//	files, err := iis.NewFiles(root.FS(), &iis.FilesOptions{Config: config, Site: site.Name, WebConfig: true, Next: smooth})
//	filter, err := iis.NewFilter(files, &iis.FilterOptions{Config: config, Site: site.Name})
//	rewrite, err := iis.NewRewrite(filter, &config.For(site.Name, "").Rewrite, &iis.RewriteOptions{FS: root.FS()})
//	http.Handle("/", rewrite)
//
// # Objects
//
// A [Config] is what a file says: its sites with their bindings, applications and virtual directories; [Settings] for
// every place; and a [Note] for every part of the file, understood or not. Settings of a place are those of the server,
// changed by location elements from the outside in, and by the web.config files of directories. [Paths] maps physical
// paths of Windows to directories here. [Files] sends files as the settings say, [Filter] refuses and redirects
// requests for all handlers of a site, [RewriteHandler] applies the rules of the URL Rewrite module. Each handler may be
// used without the others, and without a file of IIS.
//
// # Not here
//
// Nothing runs: no ASP.NET, CGI, modules or filters, and what IIS gives to them is not sent as a file. Authentication
// and authorisation are told as data or as not understood, never enforced; rules of addresses are enforced only where
// the application says what the address of a client is. Sections of IIS Media Services are read by packages throttle and
// playlist from the same file. Compression, pages for errors and logs are up to other packages. Nothing reads the
// environment or listens.
//
// # Differences to IIS
//
// Of a place that has settings both in applicationHost.config and in web.config files, all locations of the former come
// before all of the latter, where IIS goes from directory to directory. Configurations are not read from configSource,
// and encrypted values not at all. Regular expressions of rewrite rules are those of package regexp; rules with others
// are left out, with a note.
//
// # Specifications
//
// The configuration reference of IIS (system.applicationHost, system.webServer) and the URL Rewrite module configuration
// reference, both in the documentation of IIS. Their files IIS_schema.xml and rewrite_schema.xml say the same to
// machines.
package iis
