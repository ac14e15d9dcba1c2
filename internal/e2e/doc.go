// Package e2e holds the tests that play presentations with real clients: dash.js, rx-player and the page of
// examples/mediaserver in headless Chromium, GStreamer and VLC. They need those programs and "npm ci" in this
// directory, and run only when the environment variable SMOOTHKIT_E2E is 1.
//
// The driver can be used alone, against any server:
//
//	node play.mjs '{"player":"dash","url":"http://127.0.0.1:8080/sample/sample.ism/Manifest","seek":20}'
package e2e
