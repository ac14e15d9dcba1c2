package smooth

import "io"

// insertion is the sample data of a fragment with bytes put between its own. Only those that are put in are in memory;
// what is before and behind them is where it was.
type insertion struct {
	of    *Fragment
	bytes []byte
	at    int64 // before this byte of the sample data of of
}

// insert puts bytes into the sample data that f shows of another fragment.
func (f *Fragment) insert(b []byte, at int64) {
	if len(b) == 0 {
		return
	}
	f.within = &insertion{of: f.of, bytes: b, at: min(max(at, 0), f.of.size)}
	f.payload, f.body, f.offset = nil, f.within, 0
	f.size += int64(len(b))
}

// pieces calls each in order with the parts that [off, off+n) consists of: from and to are offsets in the bytes put in, if
// own, and else in the sample data of the other fragment. It ends with the first error.
func (x *insertion) pieces(off, n int64, each func(own bool, from, to int64) error) error {
	end, behind := off+n, x.at+int64(len(x.bytes))
	spans := [...]struct {
		own           bool
		low, high, by int64 // by is what an offset has to be moved by
	}{
		{false, 0, x.at, 0},
		{true, x.at, behind, x.at},
		{false, behind, behind + x.of.size - x.at, int64(len(x.bytes))},
	}
	for _, s := range spans {
		from, to := max(off, s.low), min(end, s.high)
		if from >= to {
			continue
		}
		if err := each(s.own, from-s.by, to-s.by); err != nil {
			return err
		}
	}
	return nil
}

// write writes n bytes from an offset on, both within the sample data.
func (x *insertion) write(w io.Writer, off, n int64) (done int64, err error) {
	err = x.pieces(off, n, func(own bool, from, to int64) error {
		var n int64
		var err error
		if own {
			var k int
			k, err = w.Write(x.bytes[from:to])
			n = int64(k)
		} else {
			n, err = x.of.WritePayloadPart(w, from, to-from)
		}
		done += n
		return err
	})
	return done, err
}

// ReadAt implements [io.ReaderAt].
func (x *insertion) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	err := x.pieces(off, int64(len(p)), func(own bool, from, to int64) error {
		part := p[done : done+int(to-from)]
		if own {
			done += copy(part, x.bytes[from:to])
			return nil
		}
		n, err := x.of.ReadPayloadAt(part, from)
		if done += n; n == len(part) {
			return nil
		}
		return err
	})
	if err == nil && done < len(p) {
		err = io.EOF
	}
	return done, err
}

// borrow is [Fragment.Borrow]. The one sample that has the bytes put in is copied.
func (x *insertion) borrow(use func(at func(off int64, n int) []byte) error) (bool, error) {
	return x.of.Borrow(func(at func(off int64, n int) []byte) error {
		return use(func(off int64, n int) []byte {
			switch behind := x.at + int64(len(x.bytes)); {
			case off+int64(n) <= x.at:
				return at(off, n)
			case off >= behind:
				return at(off-int64(len(x.bytes)), n)
			}
			return x.copied(at, off, n)
		})
	})
}

// copied returns a part that has some of the bytes put in, or nil if a piece of the rest is nil.
func (x *insertion) copied(at func(off int64, n int) []byte, off int64, n int) []byte {
	out := make([]byte, 0, n)
	err := x.pieces(off, int64(n), func(own bool, from, to int64) error {
		part := x.bytes
		if own {
			part = part[from:to]
		} else if part = at(from, int(to-from)); part == nil {
			return io.ErrUnexpectedEOF
		}
		out = append(out, part...)
		return nil
	})
	if err != nil || len(out) < n {
		return nil
	}
	return out
}
