package livesmooth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A law table has a line for each signal and a column for each state: the state that follows and what it asks for; "." is
// "accepted, nothing changes" and "-" is "not possible".
const (
	lawByHand = `
		signal    Idle           Starting           Started            Stopping     Stopped            ShuttingDown  Error
		start     Starting+open  .                  .                  -            Starting+reopen    -             Starting+reopen
		stop      -              Stopping+end       Stopping+end       .            .                  -             -
		shutdown  .              ShuttingDown+drop  ShuttingDown+drop  -            ShuttingDown+drop  .             ShuttingDown+drop
		request   -              .                  .                  .            .                  -             -
		encoder   -              .                  .                  -            -                  -             -
		stream    -              Started            .                  -            -                  -             -
		end       -              -                  Stopping+end       -            -                  -             -
		stopped   -              -                  -                  Stopped      -                  -             -
		shut      -              -                  -                  -            -                  Idle          -
		fault     -              Error+end          Error+end          Error+end    -                  -             -`
	// The lines that are different with settings.
	lawAutoStart = `
		request   Starting+open  .                  .                  .            .                  -             -
		encoder   Starting+open  .                  .                  -            -                  -             -`
	lawAutoRestart = `
		encoder   -              .                  .                  -            Starting+reopen    -             -`
	lawBoth = `
		request   Starting+open  .                  .                  .            .                  -             -
		encoder   Starting+open  .                  .                  -            Starting+reopen    -             -`
)

var (
	lawSignals = map[string]signal{
		"start": commandStart, "stop": commandStop, "shutdown": commandShutdown, "request": onRequest, "encoder": onEncoder,
		"stream": onStream, "end": onEnd, "stopped": onStopped, "shut": onShutdown, "fault": onFault,
	}
	lawEffects = map[effect]string{noEffect: "", openEvent: "+open", reopenEvent: "+reopen", endEvent: "+end", dropEvent: "+drop"}
)

// lawLines returns the cells of a table by signal.
func lawLines(tables ...string) map[string][]string {
	lines := make(map[string][]string)
	for _, table := range tables {
		for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
			cells := strings.Fields(line)
			lines[cells[0]] = cells[1:]
		}
	}
	return lines
}

func TestStateLaw(t *testing.T) {
	pull := []RemotePoint{{URL: "http://h/a.isml"}}
	for _, tt := range []struct {
		name     string
		settings *Settings
		tables   []string
	}{
		{"by hand", &Settings{}, nil},
		{"pull by hand", &Settings{Source: SourcePull, PullFrom: pull}, nil},
		{"auto start", &Settings{AutoStart: true}, []string{lawAutoStart}},
		{"pull, auto start", &Settings{AutoStart: true, Source: SourcePull, PullFrom: pull}, []string{lawAutoStart}},
		{"auto restart", &Settings{AutoRestart: true}, []string{lawAutoRestart}},
		{"auto restart, said to be push", &Settings{AutoRestart: true, Source: SourcePush}, []string{lawAutoRestart}},
		{"auto restart is for push only", &Settings{AutoRestart: true, Source: SourcePull, PullFrom: pull}, nil},
		{"both", &Settings{AutoStart: true, AutoRestart: true}, []string{lawBoth}},
		{"pull, both", &Settings{AutoStart: true, AutoRestart: true, Source: SourcePull, PullFrom: pull}, []string{lawAutoStart}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := lawLines(append([]string{lawByHand}, tt.tables...)...)
			require.Len(t, lines, int(signals)+1, "a line for each signal, and the heading")
			assert.Equal(t, stateNames[:], lines["signal"])
			delete(lines, "signal")
			for name, cells := range lines {
				in, ok := lawSignals[name]
				require.True(t, ok, name)
				require.Len(t, cells, len(stateNames), name)
				for from, want := range cells {
					assert.Equal(t, want, lawCell(t, State(from), in, tt.settings), "%s in state %v", name, State(from))
				}
			}
		})
	}
}

// lawCell writes what happens as a cell of a table.
func lawCell(t *testing.T, from State, in signal, set *Settings) string {
	to, do, ok := from.next(in, set)
	switch {
	case !ok:
		assert.Equal(t, from, to, "what is not possible changes nothing")
		assert.Equal(t, noEffect, do)
		return "-"
	case to == from:
		assert.Equal(t, noEffect, do)
		return "."
	}
	return to.String() + lawEffects[do]
}

// TestStateWays: from every state there is a way to Idle, and no signal leads to a state that is none.
func TestStateWays(t *testing.T) {
	for from := range State(len(stateNames)) {
		reached := map[State]bool{from: true}
		for again := true; again; {
			again = false
			for s := range reached {
				for in := range signals {
					to, _, ok := s.next(in, &Settings{AutoStart: true, AutoRestart: true})
					require.Less(t, int(to), len(stateNames))
					if ok && !reached[to] {
						reached[to], again = true, true
					}
				}
			}
		}
		assert.Len(t, reached, len(stateNames), "from %v every state can be reached", from)
	}
}

func TestStateNames(t *testing.T) {
	for i, name := range []string{"Idle", "Starting", "Started", "Stopping", "Stopped", "ShuttingDown", "Error"} {
		assert.Equal(t, name, State(i).String())
		for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			s, ok := ParseState(spelling)
			assert.True(t, ok, spelling)
			assert.Equal(t, State(i), s, spelling)
		}
	}
	assert.Equal(t, Faulted, State(len(stateNames)-1))
	assert.Equal(t, "State(7)", State(7).String())
	for _, name := range []string{"", "Live", "Idle ", "Faulted", "State(7)"} {
		_, ok := ParseState(name)
		assert.False(t, ok, name)
	}
}
