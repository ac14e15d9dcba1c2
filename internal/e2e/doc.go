// Package e2e holds the tests that play presentations with real clients: as Smooth Streaming in dash.js, rx-player,
// GStreamer and VLC, as HLS in hls.js, Chromium itself, ffmpeg and GStreamer, and both on the page of
// examples/mediaserver; those that download and play files through package throttle; those that play playlists, as ASX
// in VLC, on their page in Chromium, as one presentation in players, and from two servers with one Redis; and those that
// run examples/mediaserver as an operator does, from the configuration of IIS to its replacement while it serves. They need those
// programs, nginx, redis-server and "npm ci" in this directory, and run only when the environment variable SMOOTHKIT_E2E
// is 1.
//
// Live presentations are pushed by real encoders, ffmpeg and GStreamer, in real time. Their pictures show the number of
// each frame, so that the tests know what a client has shown and when: see livecode_test.go.
//
// The driver can be used alone, against any server:
//
//	node play.mjs '{"player":"dash","url":"http://127.0.0.1:8080/sample/sample.ism/Manifest","seek":20}'
//	node play.mjs '{"player":"hls","url":"http://127.0.0.1:8080/sample/sample.ism/Manifest(format=m3u8-aapl).m3u8","seek":20}'
package e2e
