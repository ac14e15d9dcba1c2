// Package program builds and starts what the load programs measure, each in a process of its own: examples/mediaserver
// with a configuration file, and whatever they compare it with. It reads from /proc what processes use, so that part of
// it works on Linux only.
//
//	dir, _ := os.MkdirTemp("", "load-")
//	binary, err := program.Build(dir)
//	p, err := program.StartMediaserver(binary, dir, "root: "+root+"\n")
//	defer p.Stop()
//	before, err := p.Used()
package program
