// Package archive makes on-demand presentations of live events, which can be watched while they grow and survive a crash.
//
//	recordings, err := archive.New("media/archives", nil)
//	...
//	live, err := livesmooth.NewServer(&livesmooth.Options{
//		Sinks: func(string, *livesmooth.Settings) []livesmooth.Sink { return []livesmooth.Sink{recordings} },
//	})
//	http.Handle("/archives/", http.StripPrefix("/archives", smooth.NewHandler(recordings, nil)))
//
// # Layout
//
// The event that a publishing point live/demo.isml begins at noon UTC becomes, as in IIS,
//
//	live/demo-isml/20260702T120000Z/            the event; the event ID instead of the time if the settings say so
//	live/demo-isml/20260702T120000Z/event.json  what is known of it, and whether it has ended
//	live/demo-isml/20260702T120000Z/1/          a segment: a presentation, one unless the settings cut the event
//	    demo.ism  demo.ismc                     manifests; the client manifest when the segment is complete
//	    NAME.ismv NAME.isma NAME.ismt           a file for each input stream, by whether it has a picture, sound or text only
//	    demo.journal                            what is in the files, while they grow
//
// # Names
//
// An [Archive] is a [smooth.Source] of what is below it:
//
//	live/demo-isml/20260702T120000Z/demo.isml   the event from its beginning, live while it goes on
//	live/demo-isml/20260702T120000Z/demo.ism    the event on demand: what there is of it now
//	live/demo-isml/20260702T120000Z/1/demo.ism  one segment on demand
package archive
