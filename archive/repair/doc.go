// Package repair verifies presentations on disk and rebuilds what a crash has left of them: a crash of this suite, of IIS Media
// Services, or of the machine. It also makes ordinary presentations of the live archives of Azure Media Services.
//
//	report, err := repair.Repair(ctx, store, "archives", nil)
//	...
//	fmt.Print(report)
//
// [Check] only reads and says what [Repair] would do.
//
// # What is repaired
//
// Media files (.ismv, .isma, .ismt): what follows the last whole fragment is cut off, a missing or wrong mfra box is made anew, and a
// file with a hole in it, with fragments twice, or whose samples have no durations is written again as NAME.repaired.ismv without
// those faults. Server manifests (.ism) that are missing, empty, unreadable, or that do not name what is there, are made of what the
// media files tell: the live server manifest that encoders send, or else their tracks. Client manifests (.ismc) list what will be
// served.
//
// # Nothing is deleted
//
// What is cut off a file is in FILE.OFFSET.torn, unless it is all zeros or a part of the index that is written again. The manifest
// that was replaced first is in FILE.before. A file that was written again stays as it was. The journal of a recording becomes
// NAME.journal.before; but it stays, and so the archive can go on with the event, if there is an event.json that says that the event
// has not ended. Recordings of this suite need no repair as long as their archive is there: it brings them in order when it is opened.
//
// Every step leaves a state from which another run comes to the same result, so that a run may be interrupted at any point. A second
// run finds nothing to do. What cannot be made good, such as a fragment that was never recorded, is reported as a note by each run, a
// file that is gone only by the one that takes it out of the manifest.
//
// # Cost
//
// The boxes of a media file are looked at, not the samples, so that a file of 10 GB takes seconds. Only behind damage are payloads
// read, in search of what follows, and those of the fragments next to it. Memory is a few hundred bytes per fragment of the presentation
// at hand.
//
// # Azure Media Services
//
// A live archive there ("fragblob") has a directory per track, which the .ism names as the src of the track, with a file called
// header and one file per fragment, called after its start time; those of low latency events begin with a styp box and hold several
// pairs of moof and mdat. Repair appends them to TRACK.ismv beside the .ism, which then names that. Azure's own migration tool,
// Azure/azure-media-migration, documents the layout; content under the storage encryption of Azure has to be decrypted first.
package repair
