package app

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/server"
)

// announce prints the addresses of the page, the console and the first presentations, and how many events are in the archive.
func (a *app) announce(ctx context.Context, cfg *config.Config) {
	base := a.base(cfg)
	if base == "" {
		a.announceSockets()
		return
	}
	list, err := a.server.Presentations(ctx)
	if err != nil {
		a.log.Error("list presentations", "err", err)
	}
	recorded := slices.IndexFunc(list, func(p server.Presentation) bool { return p.Recording != nil })
	if recorded < 0 {
		recorded = len(list)
	}
	fmt.Fprintf(a.out, "Page:      %s%s\n", base, a.server.PagePath())
	fmt.Fprintf(a.out, "Console:   %sconsole/\n", base)
	a.announceList(base, list[:recorded])
	if cfg.Archive.Directory != "" {
		fmt.Fprintf(a.out, "Archive:   %s (%d recorded)\n", cfg.Archive.Directory, len(list)-recorded)
	}
	fmt.Fprintln(a.out, "Press Ctrl+C to stop.")
}

// announceSockets prints the addresses that are no URLs.
func (a *app) announceSockets() {
	none := true
	for _, s := range a.set.Status() {
		if s.Addr != nil {
			fmt.Fprintf(a.out, "Socket:    %s\n", s.Addr)
			none = false
		}
	}
	if none {
		fmt.Fprintln(a.out, "No address can be had yet: the log says why. They are tried again.")
	}
	fmt.Fprintln(a.out, "Press Ctrl+C to stop.")
}

// announceList prints the first presentations and playlists.
func (a *app) announceList(base string, list []server.Presentation) {
	const most = 20
	for _, p := range list[:min(most, len(list))] {
		fmt.Fprintf(a.out, "Manifest:  %s%s\n", base, p.URL)
		fmt.Fprintf(a.out, "HLS:       %s%s\n", base, p.HLS)
		if p.Push != "" {
			fmt.Fprintf(a.out, "Push to:   %s%s\n", base, p.Push)
		}
	}
	if len(list) > most {
		fmt.Fprintf(a.out, "           and %d more\n", len(list)-most)
	}
	lists := a.server.Playlists()
	for _, p := range lists[:min(most, len(lists))] {
		fmt.Fprintf(a.out, "Playlist:  %s%s\n", base, p.URL)
	}
}

// base is the URL of the first listener that has an address, or "".
func (a *app) base(cfg *config.Config) string {
	for _, s := range a.set.Status() {
		if s.Addr == nil || s.Addr.Network() != "tcp" {
			continue
		}
		scheme := "http"
		for _, l := range cfg.Listen {
			if l.Address == s.Address && l.TLS != nil {
				scheme = "https"
			}
		}
		return scheme + "://" + clientAddress(s.Addr.String()) + "/"
	}
	return ""
}

// clientAddress replaces the address of every interface by one that a browser understands.
func clientAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}
