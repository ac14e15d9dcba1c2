package listen

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
)

// passed is a socket that systemd passed and that nobody has asked for yet.
type passed struct {
	name     string
	listener socket
}

// activated returns the sockets that systemd passed to this process, once: the environment is cleared. See
// sd_listen_fds(3).
func activated(log *slog.Logger) (list []*passed) {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	if n, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err != nil || n < 0 || n > maxSockets {
		log.Warn("LISTEN_FDS ignored", "value", os.Getenv("LISTEN_FDS"), "limit", maxSockets)
		return nil
	}
	for _, f := range activation.Files(true) {
		l, err := fileSocket(f)
		if err != nil {
			log.Warn("what systemd passed is no listening socket", "name", f.Name(), "err", err)
			continue
		}
		keepFile(l, true)
		list = append(list, &passed{name: f.Name(), listener: l})
	}
	return list
}

// fileSocket returns the listening socket of a descriptor, which it takes over.
func fileSocket(f *os.File) (socket, error) {
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return asSocket(l)
}

// inherit returns a socket for an address that the old process or systemd passed, or nil, and whether systemd has it too.
func (s *Set) inherit(spec Spec, p place) (l socket, origin Origin, systemd bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, systemd = s.old.pick(p); l != nil {
		return l, FromHandover, systemd
	}
	if l = s.pick(spec, p); l != nil {
		return l, FromActivation, true
	}
	return nil, "", false
}

// pick takes a socket from the pool: one that has the name and the address, else one with the name whose address nobody could
// tell from that of the others, else one with the address. mu must be held.
func (s *Set) pick(spec Spec, p place) socket {
	named := func(l *passed) bool { return spec.Name != "" && l.name == spec.Name }
	placed := func(l *passed) bool { return p.is(l.listener.Addr()) }
	for _, fits := range []func(*passed) bool{
		func(l *passed) bool { return named(l) && placed(l) }, named, placed,
	} {
		if i := slices.IndexFunc(s.pool, fits); i >= 0 {
			l := s.pool[i].listener
			s.pool = slices.Delete(s.pool, i, i+1)
			return l
		}
	}
	return nil
}

// addPassed makes entries of the sockets that systemd passed and nobody asked for, but for those that are there already.
// The turn must be held.
func (s *Set) addPassed() {
	s.mu.Lock()
	pool := s.pool
	s.pool = nil
	s.mu.Unlock()
	for _, l := range pool {
		if s.has(l.listener.Addr()) {
			l.listener.Close()
			continue
		}
		addr := addressOf(l.listener.Addr())
		p, err := parseAddress(addr)
		if err != nil {
			s.opts.Logger.Warn("socket of systemd has no usable address", "name", l.name, "err", err)
			l.listener.Close()
			continue
		}
		s.opts.Logger.Info("systemd passed a socket that the configuration does not name; it is served too", "name", l.name,
			"addr", addr)
		e := newEntry(Spec{Address: addr, Name: l.name}, p)
		e.extra, e.systemd = true, true
		s.have(e, l.listener, FromActivation)
		s.begin(e)
	}
}

// has reports whether an entry has a socket with this address.
func (s *Set) has(addr net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.entries, func(e *entry) bool {
		return e.status.Addr != nil && addressOf(e.status.Addr) == addressOf(addr)
	})
}

// addressOf returns an address in the form that a Spec has.
func addressOf(addr net.Addr) string {
	if addr.Network() == "unix" {
		return "unix:" + addr.String()
	}
	return addr.String()
}
