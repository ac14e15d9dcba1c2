package manage

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// sendStatistics answers with the statistics of a publishing point that is not idle.
func (x *exchange) sendStatistics() error {
	st := x.point.Stats()
	if st.State == livesmooth.Idle {
		return fail(codeNotStarted, "")
	}
	if x.format == jsonFormat {
		return x.sendJSON(http.StatusOK, jsonStatsOf(&st))
	}
	s := x.point.Settings()
	self := pointURL(x.base, x.name, statisticsResource)
	return x.sendElement(http.StatusOK, entry{
		id: self, title: s.Title, authored: true, updated: x.h.opts.Now(), payload: statisticsElement(&st, s),
		// The title of the first link is what IIS wrote.
		links: []link{{self, "self", "State"}, {pointURL(x.base, x.name, settingsResource), "related", "Settings"}},
	}.element())
}

// statisticsElement returns statistics as IIS wrote them, which is less than there is.
func statisticsElement(st *livesmooth.Stats, s *livesmooth.Settings) *element {
	inputs := node("InputStreams")
	for i := range st.Inputs {
		inputs.add(inputNode(&st.Inputs[i], st, s))
	}
	outputs := node("OutputStreams")
	for _, o := range st.Outputs {
		if o.Listed { // before that there is no time to write
			outputs.add(node("OutputStream", uintNode("LastOutputFragmentTimestamp", o.LastTime)).with("name", o.Name))
		}
	}
	return node("Statistics", inputs, outputs)
}

func uintNode(name string, v uint64) *element { return textNode(name, strconv.FormatUint(v, 10)) }

func inputNode(in *livesmooth.InputStats, st *livesmooth.Stats, s *livesmooth.Settings) *element {
	file := fileOf(in.ID, st)
	if file == "" && s.Archive.Enabled {
		file = in.ID + ".ismv" // the rule of IIS
	}
	sources, tracks := node("Sources"), node("Tracks")
	for _, src := range in.Sources {
		sources.add(sourceNode(src))
	}
	for _, t := range in.Tracks {
		tracks.add(trackNode(t))
	}
	return node("InputStream", textNode("State", inputState(in, st.State)), textNode("ArchiveFileName", file),
		sources, sinksNode(st, s), tracks).with("id", in.ID)
}

// fileOf returns the name of the file that an input stream is recorded in, "" if no sink tells it.
func fileOf(input string, st *livesmooth.Stats) string {
	for i := range st.Sinks {
		if name := st.Sinks[i].Files[input]; name != "" {
			return name
		}
	}
	return ""
}

// inputState returns Started while a source feeds the stream, Stopped after its end or that of the event, and Idle
// while it is waited for.
func inputState(in *livesmooth.InputStats, state livesmooth.State) string {
	switch {
	case in.Ended || state != livesmooth.Starting && state != livesmooth.Started:
		return livesmooth.Stopped.String()
	case len(in.Sources) > 0:
		return livesmooth.Started.String()
	}
	return livesmooth.Idle.String()
}

// sourcePull is the name of a source that the server fetches from.
const sourcePull = "HTTP Pull"

func sourceNode(src livesmooth.SourceStats) *element {
	property := func(name, value string) *element { return textNode("Property", value).with("name", name) }
	kind, address := livesmooth.SourcePush, "Source IP"
	if src.Name == sourcePull {
		kind, address = livesmooth.SourcePull, "Source URL"
	}
	return node("Source", node("Properties",
		property("Source Type", string(kind)), property(address, redacted(src.Address)),
	)).with("name", src.Name)
}

// sinksNode lists where an input stream goes to.
func sinksNode(st *livesmooth.Stats, s *livesmooth.Settings) *element {
	e := node("Sinks")
	add := func(name string) { e.add(node("Sink").with("name", name)) }
	if s.Viewers.Enabled {
		add("IIS Smooth Streaming")
		if s.HLS != nil {
			add("Apple HTTP Live Streaming")
		}
	}
	for _, sink := range st.Sinks {
		add(sink.Name)
	}
	return e
}

func trackNode(t livesmooth.TrackStats) *element {
	return node("Track",
		textNode("Name", t.Name),
		uintNode("EncodedBitRate", t.Bitrate),
		uintNode("IncomingBitRate", t.Incoming),
		textNode("IncomingFragmentWaitTime", formatWait(t.Wait)),
		uintNode("IncomingFragmentTimeStamp", t.LastTime),
		uintNode("IncomingFragmentDuration", t.LastDuration),
		textNode("RequestRate", strconv.FormatFloat(math.Round(t.Requests), 'f', 0, 64)),
	).with("id", strconv.FormatUint(uint64(t.ID), 10))
}

// jsonStats are the statistics in JSON, all of them. Times of media are strings, since a JavaScript number has no room
// for the ticks of 100 ns since some year in the past.
type jsonStats struct {
	State   string       `json:"state"`
	EventID string       `json:"eventId,omitempty"`
	Started *time.Time   `json:"started,omitempty"`
	Inputs  []jsonInput  `json:"inputStreams"`
	Outputs []jsonOutput `json:"outputStreams"`
	Sinks   []jsonSink   `json:"sinks"`
	Viewers int          `json:"viewers"`
	Periods int          `json:"periods"`
	Memory  int64        `json:"memoryBytes"`
	Pinned  int64        `json:"pinnedBytes"`
	Budget  int64        `json:"memoryBudgetBytes"`
}

type jsonInput struct {
	ID      string       `json:"id"`
	State   string       `json:"state"`
	File    string       `json:"archiveFileName,omitempty"`
	Sources []jsonSource `json:"sources"`
	Tracks  []jsonTrack  `json:"tracks"`
}

type jsonSource struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
	Bytes   uint64    `json:"bytes"`
}

type jsonTrack struct {
	ID           uint32  `json:"id"`
	Name         string  `json:"name"`
	Bitrate      uint64  `json:"encodedBitRateBitsPerSecond"`
	Incoming     uint64  `json:"incomingBitRateBitsPerSecond"`
	Received     uint64  `json:"receivedFragments"`
	Duplicates   uint64  `json:"duplicateFragments"`
	Late         uint64  `json:"lateFragments"`
	Overlapping  uint64  `json:"overlappingFragments"`
	Gaps         uint64  `json:"missingFragments"`
	LastTime     uint64  `json:"lastFragmentTimeTicks,string"`
	LastDuration uint64  `json:"lastFragmentDurationTicks,string"`
	Wait         seconds `json:"lastFragmentWaitSeconds"`
	Requests     float64 `json:"requestsPerSecond"`
}

type jsonOutput struct {
	Name      string  `json:"name"`
	LastTime  *string `json:"lastFragmentTimeTicks,omitempty"`
	Fragments int     `json:"fragments"`
}

type jsonSink struct {
	Name        string `json:"name"`
	Target      string `json:"target,omitempty"`
	Failing     bool   `json:"failing"`
	Error       string `json:"error,omitempty"`
	Queued      int64  `json:"queuedFragments"`
	QueuedBytes int64  `json:"queuedBytes"`
	Dropped     int64  `json:"droppedFragments"`
	Durable     uint64 `json:"durableTicks,string"`
}

func jsonStatsOf(st *livesmooth.Stats) *jsonStats {
	j := &jsonStats{
		State: st.State.String(), EventID: st.EventID, Viewers: st.Viewers, Periods: st.Periods,
		Memory: st.Memory, Pinned: st.Pinned, Budget: st.Budget,
		Inputs: make([]jsonInput, len(st.Inputs)), Outputs: make([]jsonOutput, len(st.Outputs)),
		Sinks: make([]jsonSink, len(st.Sinks)),
	}
	if !st.Started.IsZero() {
		started := st.Started.UTC()
		j.Started = &started
	}
	for i := range st.Inputs {
		j.Inputs[i] = jsonInputOf(&st.Inputs[i], st)
	}
	for i, o := range st.Outputs {
		j.Outputs[i] = jsonOutput{Name: o.Name, Fragments: o.Fragments}
		if o.Listed {
			t := strconv.FormatUint(o.LastTime, 10)
			j.Outputs[i].LastTime = &t
		}
	}
	for i, s := range st.Sinks {
		j.Sinks[i] = jsonSink{
			Name: s.Name, Target: redacted(s.Target), Failing: s.Failing, Error: errorText(s.Err),
			Queued: s.Queued, QueuedBytes: s.QueuedBytes, Dropped: s.Dropped, Durable: s.Durable,
		}
	}
	return j
}

func jsonInputOf(in *livesmooth.InputStats, st *livesmooth.Stats) jsonInput {
	j := jsonInput{
		ID: in.ID, State: inputState(in, st.State), File: fileOf(in.ID, st),
		Sources: make([]jsonSource, len(in.Sources)), Tracks: make([]jsonTrack, len(in.Tracks)),
	}
	for i, s := range in.Sources {
		j.Sources[i] = jsonSource{Name: s.Name, Address: redacted(s.Address), Since: s.Since.UTC(), Bytes: s.Bytes}
	}
	for i, t := range in.Tracks {
		j.Tracks[i] = jsonTrack{
			ID: t.ID, Name: t.Name, Bitrate: t.Bitrate, Incoming: t.Incoming, Received: t.Received, Duplicates: t.Duplicates,
			Late: t.Late, Overlapping: t.Overlapping, Gaps: t.Gaps, LastTime: t.LastTime, LastDuration: t.LastDuration,
			Wait: seconds(t.Wait), Requests: t.Requests,
		}
	}
	return j
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
