// Package prom offers what package usage counts to Prometheus.
//
//	rec, err := usage.New(nil)
//	...
//	http.Handle("/metrics", prom.Handler(rec, nil))
//
// An application with a registry of its own registers [NewCollector] there. The names of the metrics are those of
// [usage.Metric], listed in the documentation of package usage; they follow the conventions of Prometheus, and stay.
// Labels are bounded in number: there are none of clients, and streams beyond [usage.Options].MaxStreams are "other".
//
// It is a package of its own so that only who wants Prometheus has its client library. See the Prometheus documentation,
// "Metric and label naming", and the text-based exposition format.
package prom
