// Command throttle measures paced downloads: what many slow connections cost a server, in CPU time and memory, and how exactly
// the rate is kept. Beside our handler, in turn and with the same clients, are nginx's limit_rate, writers paced by
// golang.org/x/time/rate and github.com/juju/ratelimit, and loops that write and sleep.
//
//	cd internal/bench/throttle
//	go run . [-n 2000] [-rate "1 Mbit/s"] [-d 12s] [-settle 3s] [-rounds 1] [-only NAME,NAME] [-netns] [-cpuprofile FILE]
//	go run . -law [-rates "64 kbit/s,1 Gbit/s"] [-d 10s] [-netns]
//
// -only takes names of the first column; those that end in a star stand for all that begin so. The h2 servers are
// measured only if they are named.
//
// Each server is a process of its own, or several where the system does not allow as many open files, and so are the
// clients, one goroutine per connection with the socket buffers that the system gives. All ask for the same file, a sparse
// one. The clients begin within a second, or more for more than 5,000 of them. When all have settled, CPU is the user and
// system time of the server (/proc/PID/stat) over the time measured.
//
// Memory is anonymous memory (RssAnon of /proc/PID/status) per connection beyond that of the idle server: as it is at the end,
// and, for servers in Go, after a garbage collection that gives everything unused back. "above" is the latter, less that of
// net/http responses that nobody paces and nobody reads.
//
// The rate of a connection is taken from the last byte it got before the time measured to the last one it got in it, so that
// where the window cuts a burst does not count. "resent" are TCP segments that had to be sent again, which on loopback
// happens when the machine has too much else to do: figures with many of them are worth nothing.
//
// -law has one connection at each of several rates, with a burst of a second: how far what was received has been ahead of
// burst + rate x time at most, and behind it right before something came, in quanta. Time begins when the request is sent.
// What is behind counts after two seconds, since the burst takes the time that it takes. The scheduling of both processes
// is part of it.
//
// -netns, as root, puts everything into a network namespace of its own, with reno as congestion control, since bbr, where it is
// the default, paces by itself and costs more on loopback.
//
// It needs Linux and, for its row, nginx. It is a module of its own so that what our code is compared with does not become a
// dependency of the library. BENCHMARKS.md has figures.
package main
