package fmp4

import "errors"

// FlagNonSync is the sample_is_non_sync_sample bit of sample flags. See ISO/IEC 14496-12 8.8.3.1.
const FlagNonSync = 0x10000

// Runs iterates over the samples of a self-contained moof box.
type Runs struct{}

// Run sample.
type RunSample struct {
	Duration, Size, Flags uint32
	CTS                   int32
}

// Next returns the next sample.
func (r *Runs) Next() (RunSample, bool) { return RunSample{}, false }

// RunsOf starts an iteration.
func RunsOf(moof []byte) (Runs, error) { return Runs{}, errors.New("not yet") }

// MoofSize returns the size of the moof box that b starts with, or -1.
func MoofSize(b []byte) int { return -1 }

// AppendCMAFHead appends.
func AppendCMAFHead(dst, moof []byte, tfdt, payload uint64) ([]byte, error) { return dst, errors.New("not yet") }
