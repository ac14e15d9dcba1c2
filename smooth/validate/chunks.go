package validate

import (
	"encoding/base64"
	"math/bits"
	"strconv"
)

// chunk is a c element while its missing attributes are worked out.
type chunk struct {
	el         *element
	t, d, r    uint64
	hasT, hasD bool
	hasR, bad  bool
}

// chunks reads the c elements of a stream and leaves the timeline in s.runs.
func (c *manifestChecker) chunks(e *element, s *stream) {
	els := e.all("c")
	if len(els) == 0 {
		if s.url != "" || len(e.all("Content")) == 0 {
			c.rec.Add("SM413", c.at(e, s), "there is no c")
		}
		return
	}
	list := make([]chunk, len(els))
	for i, el := range els {
		list[i] = c.chunk(el, s)
	}
	c.ordinals(els, list, s)
	c.timeline(list, s)
	s.broken = len(s.runs) == 0
	c.rec.Tally(func(n *Counts) { n.Chunks += int(min(s.count(), 1<<30)) })
}

func (c *manifestChecker) chunk(e *element, s *stream) chunk {
	k := chunk{el: e, r: 1}
	k.bad = !c.chunkNumbers(e, s, &k)
	p := c.at(e, s)
	if k.hasT {
		p.Time = strconv.FormatUint(k.t, 10)
	}
	if k.bad {
		return k
	}
	if !k.hasT && !k.hasD {
		c.rec.Add("SM401", p, "there is neither t nor d")
		k.bad = true
		return k
	}
	if k.hasD && k.d == 0 {
		c.rec.Add("SM403", p, "d is 0")
		k.bad = true
	}
	if k.d > 1<<32-1 {
		c.rec.Add("SM416", p, "d is %d, the greatest number of 32 bits is %d", k.d, uint64(1<<32-1))
	}
	c.repeat(p, &k)
	c.embedded(e, s, p)
	return k
}

func (c *manifestChecker) repeat(p Place, k *chunk) {
	if !k.hasR {
		return
	}
	if !c.repeats {
		c.rec.Add("SM404", p, "there is r=%d, and MinorVersion is not 2", k.r)
	}
	if k.r == 0 {
		c.rec.Add("SM405", p, "r is 0; it counts fragments, and 1 means no repeat")
		k.bad = true
	}
	if !k.hasD {
		c.rec.Add("SM406", p, "there is r=%d and no d", k.r)
		k.bad = true
	}
}

func (c *manifestChecker) chunkNumbers(e *element, s *stream, k *chunk) bool {
	all := true
	read := func(name string, into *uint64) bool {
		v, present, ok := c.number(e, s, name, "SM402")
		if present && !ok {
			all = false
		}
		if ok {
			*into = v
		}
		return ok
	}
	var n uint64
	read("n", &n)
	k.hasT, k.hasD, k.hasR = read("t", &k.t), read("d", &k.d), read("r", &k.r)
	return all
}

// embedded checks the f elements. Those without text are informative (sizes).
func (c *manifestChecker) embedded(e *element, s *stream, p Place) {
	seen := make(map[uint64]bool)
	data := 0
	for _, f := range e.all("f") {
		at := p
		at.Line = f.line
		i, present, ok := c.number(f, s, "i", "SM417")
		switch {
		case !present:
			c.rec.Add("SM417", at, "there is no i")
		case ok && (i >= uint64(len(s.levels)) || seen[i]):
			c.rec.Add("SM417", at, "i is %d, there are %d levels, and each may occur once", i, len(s.levels))
		}
		seen[i] = true
		if len(f.text) == 0 {
			continue
		}
		data++
		if _, err := base64.StdEncoding.DecodeString(string(f.text)); err != nil {
			c.rec.Add("SM228", at, "%v", err)
		}
	}
	if s.control && data == 0 {
		c.rec.Add("SM227", p, "there is no f with data")
	}
}

// ordinals checks that n counts in steps of one; a repeated c stands for r ordinals.
func (c *manifestChecker) ordinals(els []*element, list []chunk, s *stream) {
	var want uint64
	known := false
	for i, e := range els {
		text, present := e.attr("n")
		n, ok := decimal(text)
		if !present || !ok || list[i].bad {
			known = false
			continue
		}
		if known && n != want {
			c.rec.Add("SM407", c.at(e, s), "n is %d after %d", n, want-1)
		}
		want, known = n+list[i].r, true
	}
}

// timeline works out start and duration of each run as [MS-SSTR] 3.1.5.1 says, and compares neighbours.
func (c *manifestChecker) timeline(list []chunk, s *stream) {
	var out []run
	for i := range list {
		k := &list[i]
		if k.bad {
			return // the times after it are unknown
		}
		if !k.hasT && len(out) > 0 {
			k.t = out[len(out)-1].end() // the first defaults to 0
		}
		if !c.resolve(list, i, s) {
			return
		}
		r := run{k.t, k.d, k.r}
		hi, length := bits.Mul64(r.duration, r.n)
		if _, carry := bits.Add64(r.time, length, 0); hi != 0 || carry != 0 {
			c.rec.Add("SM415", c.at(k.el, s), "t=%d d=%d r=%d end beyond 64 bits", k.t, k.d, k.r)
			return
		}
		if len(out) > 0 && k.hasT && !c.neighbours(out[len(out)-1], r, k, s) {
			return
		}
		out = append(out, r)
	}
	s.runs = out
}

// resolve gives a c without d the distance to the next.
func (c *manifestChecker) resolve(list []chunk, i int, s *stream) bool {
	k := &list[i]
	p := c.at(k.el, s)
	p.Time = strconv.FormatUint(k.t, 10)
	switch {
	case k.hasD:
		return true
	case i == len(list)-1:
		c.rec.Add("SM411", p, "there is no d")
		return false
	case list[i+1].bad:
		return false
	case !list[i+1].hasT:
		c.rec.Add("SM414", c.at(list[i+1].el, s), "there is no t, and the c before has no d")
		return false
	case list[i+1].t <= k.t:
		c.rec.Add("SM408", c.at(list[i+1].el, s), "t is %d after %d", list[i+1].t, k.t)
		return false
	}
	k.d = list[i+1].t - k.t
	if !s.clip {
		c.rec.Add("SM412", p, "there is no d")
	}
	return true
}

// neighbours compares a run with an explicit time to the end of the run before.
func (c *manifestChecker) neighbours(prev, r run, k *chunk, s *stream) bool {
	p := c.at(k.el, s)
	p.Time = strconv.FormatUint(r.time, 10)
	end, slack := prev.end(), s.timescale/1000
	switch {
	case r.time <= end-prev.duration:
		c.rec.Add("SM408", p, "t is %d after %d", r.time, end-prev.duration)
		return false
	case r.time < end && end-r.time > slack:
		c.rec.Add("SM409", p, "t is %d, the fragment before ends at %d, %d ticks later", r.time, end, end-r.time)
	case r.time > end && r.time-end > slack:
		c.rec.Add("SM410", p, "t is %d, the fragment before ends at %d, %d ticks earlier", r.time, end, r.time-end)
	}
	return true
}
