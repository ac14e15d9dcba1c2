package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/smoothkit/smoothkit/hls"
)

// master returns the path of the master playlist.
func (a *arguments) master() string { return filepath.Join(a.out, "master.m3u8") }

// options returns what the flags say.
func (a *arguments) options() (*hls.SegmenterOptions, error) {
	o := &hls.SegmenterOptions{WriteKeys: a.writeKey, Parallel: a.parallel, StartOver: a.startOver}
	o.SegmentDuration, o.OmitAudioOnly = a.duration, !a.audioOnly
	switch strings.ToLower(a.format) {
	case "ts":
	case "fmp4":
		o.Format = hls.FMP4
	default:
		return nil, fmt.Errorf("%w: format %q, want ts or fmp4", errUsage, a.format)
	}
	switch {
	case a.muxed && a.separate:
		return nil, fmt.Errorf("%w: -muxed and -separate exclude each other", errUsage)
	case a.muxed:
		o.Sound = hls.SoundMuxed
	case a.separate:
		o.Sound = hls.SoundSeparate
	}
	if a.duration <= 0 {
		return nil, fmt.Errorf("%w: duration %v", errUsage, a.duration)
	}
	return o, a.encrypt(o)
}

// encrypt adds the encryption.
func (a *arguments) encrypt(o *hls.SegmenterOptions) error {
	if a.keyFile == "" {
		if a.keyURI != "" || a.writeKey {
			return fmt.Errorf("%w: -key-uri and -write-key need a -key-file", errUsage)
		}
		return nil
	}
	key, err := readKey(a.keyFile)
	if err != nil {
		return err
	}
	o.Encryption = &hls.Encryption{Keys: key, URI: a.keyURI}
	switch strings.ToLower(a.method) {
	case "aes-128":
	case "sample-aes":
		o.Encryption.Method = hls.SampleAES
	default:
		return fmt.Errorf("%w: method %q, want aes-128 or sample-aes", errUsage, a.method)
	}
	return nil
}

// readKey reads a key of 16 bytes or 32 hexadecimal digits.
func readKey(path string) (hls.StaticKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return hls.StaticKey{}, err
	}
	if len(data) == len(hls.StaticKey{}) {
		return hls.StaticKey(data), nil
	}
	key, err := hls.ParseKey(string(bytes.TrimSpace(data)))
	if err != nil {
		return key, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}
