package repair

// Codes of findings. They never change their meaning.
const (
	// Faults of media files, which Repair makes good.

	// MfraMissing: there is no index of the fragments at the end of the file.
	MfraMissing = "mfra-missing"
	// MfraBroken: the index has the wrong size or cannot be read.
	MfraBroken = "mfra-broken"
	// MfraWrong: the index does not list the fragments that are in the file.
	MfraWrong = "mfra-wrong"
	// TornTail: what follows the last whole fragment is no fragment, or not all of one.
	TornTail = "torn-tail"
	// ZeroTail: the file ends with zeros.
	ZeroTail = "zero-tail"
	// Hole: between whole fragments there are bytes that are none.
	Hole = "hole"
	// FragmentDamaged: a fragment in the middle contradicts itself.
	FragmentDamaged = "fragment-damaged"
	// FragmentTwice: a track has two fragments of the same time.
	FragmentTwice = "fragment-twice"
	// DurationsMissing: samples have a duration neither in trun nor in tfhd or trex.
	DurationsMissing = "durations-missing"
	// SumWrong: a fragment is not what was recorded, by the journal.
	SumWrong = "sum-wrong"

	// Faults of manifests, which Repair makes good.

	// IsmMissing: media files without a server manifest.
	IsmMissing = "ism-missing"
	// IsmEmpty: the server manifest has no bytes, as that of a publishing point that has not been stopped.
	IsmEmpty = "ism-empty"
	// IsmBroken: the server manifest cannot be read.
	IsmBroken = "ism-broken"
	// IsmFile: the server manifest names a file that does not exist or has no fragments.
	IsmFile = "ism-file"
	// IsmTrack: the server manifest names a track that its file does not have.
	IsmTrack = "ism-track"
	// IsmLacks: the server manifest does not name a file or track that there is.
	IsmLacks = "ism-lacks"
	// IsmOriginal: the server manifest names a file that has been written again.
	IsmOriginal = "ism-original"
	// IsmcMissing: there is no client manifest, or the server manifest does not name it.
	IsmcMissing = "ismc-missing"
	// IsmcEmpty: the client manifest has no bytes.
	IsmcEmpty = "ismc-empty"
	// IsmcStale: the client manifest cannot be read, lists what the files do not have, or not all of what they have.
	IsmcStale = "ismc-stale"

	// Faults of recordings, which Repair makes good.

	// JournalLeft: a recording was not finished. It is a note if its archive will go on with it.
	JournalLeft = "journal-left"
	// AzureArchive: the tracks are directories with a file per fragment.
	AzureArchive = "azure-archive"
	// ChunkTorn: a file of an Azure archive is not whole.
	ChunkTorn = "chunk-torn"

	// Notes on what cannot be made good.

	// MediaUnreadable: a media file has no header, or one that cannot be used.
	MediaUnreadable = "media-unreadable"
	// NoFragments: a track or file has no fragments.
	NoFragments = "no-fragments"
	// TrackShort: a track ends before the others, or begins after them.
	TrackShort = "track-short"
	// LevelLacks: a quality level lacks fragments that another level of its stream has.
	LevelLacks = "level-lacks"
	// LevelLeftOut: a track is not listed in the client manifest.
	LevelLeftOut = "level-left-out"
	// Gap: a time of which no level has a fragment.
	Gap = "gap"
	// TimesDerived: fragments state no time; that of an index or the end of the one before counts.
	TimesDerived = "times-derived"
	// FileUnlisted: a media file beside the presentation that is not a part of it.
	FileUnlisted = "file-unlisted"
	// FileInTheWay: a file that is none of repair's has the name of one that it has to make.
	FileInTheWay = "file-in-the-way"
	// TooLarge: the file is above a limit and was not repaired.
	TooLarge = "too-large"
	// Rule: the validator objects to something that repair knows nothing of.
	Rule = "rule"
)
