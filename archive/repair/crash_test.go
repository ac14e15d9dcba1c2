package repair_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

var errKilled = errors.New("killed")

// changing are the operations that change something.
var changing = []lossy.Op{lossy.Append, lossy.Write, lossy.Truncate, lossy.Sync, lossy.Replace, lossy.Renamed, lossy.Remove}

// killAt returns a fault that fails from the n-th change on, a write in the middle.
func killAt(n int, count *int) lossy.Fault {
	return func(op lossy.Op, _ string, size int64) error {
		if !slices.Contains(changing, op) {
			return nil
		}
		*count++
		switch {
		case *count < n:
			return nil
		case *count == n && op == lossy.Write:
			return &lossy.Short{N: size / 2, Err: errKilled}
		}
		return errKilled
	}
}

// crashing are the faults with the most steps to repair, and what else has steps of its own.
func crashing(t *testing.T) map[string]func(t *testing.T) *lossy.Store {
	out := map[string]func(t *testing.T) *lossy.Store{
		"iis": func(t *testing.T) *lossy.Store {
			s := iisArchive(t, 8)
			name := point + "9092-stream2.ismv"
			b := get(t, s, name)
			put(t, s, name, b[:len(b)-20])
			return s
		},
		"azure":     func(t *testing.T) *lossy.Store { return azureArchive(t, 8) },
		"recording": func(t *testing.T) *lossy.Store { return recording(t, nil) },
		"durations": func(t *testing.T) *lossy.Store { return bareArchive(t, []uint32{25, 25, 24, 26}) },
	}
	good := smallFilm(t)
	for _, f := range faults {
		switch f.name {
		case "both empty", "ism lacks a level", "torn mdat", "garbage at the end", "mfra of a shorter file", "hole", "fragment twice", "file gone", "everything":
			out[f.name] = func(t *testing.T) *lossy.Store {
				s := lossy.New()
				for name, data := range good {
					put(t, s, name, []byte(data))
				}
				f.spoil(t, s)
				durable := lossy.New() // as nothing of the damage is undone by a crash
				for name, data := range files(t, s) {
					put(t, durable, name, []byte(data))
				}
				return durable
			}
		}
	}
	return out
}

// smallFilm returns the files of a presentation with the names of the sample and fewer bytes.
func smallFilm(t *testing.T) map[string]string {
	t.Helper()
	s := lossy.New()
	for i, name := range []string{sampleHigh, sampleMid, "film/sample_75.ismv"} {
		e := smoothtest.NewEncoder(smoothtest.Config{Streams: []smoothtest.Stream{{Type: smooth.Video, Levels: []smoothtest.Level{{Bitrate: uint64(9-i) * 100_000}}}}})
		put(t, s, name, append(e.Header(), e.Until(secondsOf(32))...))
	}
	put(t, s, sampleISM, nil)
	require.True(t, one(t, must(repair.Repair(t.Context(), s, ".", nil)), nil).Plays)
	return files(t, s)
}

// TestKilled kills a repair at each of its steps: another run comes to the same result.
func TestKilled(t *testing.T) {
	for name, make := range crashing(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := make(t)
			one(t, must(repair.Repair(context.Background(), whole, ".", nil)), nil)
			want := whole.Dump()
			for n := 1; ; n++ {
				s := make(t)
				count := 0
				s.SetFault(killAt(n, &count))
				_, err := repair.Repair(context.Background(), s, ".", nil)
				if count < n {
					require.NoError(t, err)
					require.Greater(t, n, 3)
					break
				}
				require.ErrorIs(t, err, errKilled)
				s.SetFault(nil)
				r, err := repair.Repair(context.Background(), s, ".", nil)
				a := one(t, r, err)
				require.True(t, a.Plays, "step %d: %v", n, r)
				require.Equal(t, want, s.Dump(), "step %d: %v", n, r)
			}
		})
	}
}

// TestPower cuts the power at each step of a repair: another run makes the same presentation.
func TestPower(t *testing.T) {
	for name, make := range crashing(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := make(t)
			a := one(t, must(repair.Repair(context.Background(), whole, ".", nil)), nil)
			want := payloads(t, whole, a.Name)
			for n := 1; ; n++ {
				s := make(t)
				count := 0
				s.SetFault(killAt(n, &count))
				if _, err := repair.Repair(context.Background(), s, ".", nil); err == nil {
					break
				}
				s = s.Crash(rand.New(rand.NewPCG(7, uint64(n))))
				r, err := repair.Repair(context.Background(), s, ".", nil)
				b := one(t, r, err)
				require.True(t, b.Plays, "step %d: %v", n, r)
				require.Equal(t, want, payloads(t, s, a.Name), "step %d: %v", n, r)
				settled(t, s)
			}
		})
	}
}

func must(r *repair.Report, err error) *repair.Report {
	if err != nil {
		panic(err)
	}
	return r
}
