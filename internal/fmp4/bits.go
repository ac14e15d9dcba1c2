package fmp4

// BitReader reads bits, the most significant first. After the end it yields zeros and sets Short.
type BitReader struct {
	// Bytes to read from, and Pos, the position in bits.
	Bytes []byte
	Pos   int
	// Short reports that more bits were asked for than there are, or an Exp-Golomb code above 32 bits.
	Short bool
}

// Left returns the number of bits left.
func (r *BitReader) Left() int { return len(r.Bytes)*8 - r.Pos }

// Read reads up to 32 bits.
func (r *BitReader) Read(n int) uint32 {
	if r.Short || r.Left() < n {
		r.Short = true
		return 0
	}
	var v uint32
	for range n {
		v = v<<1 | uint32(r.Bytes[r.Pos/8]>>(7-r.Pos%8)&1)
		r.Pos++
	}
	return v
}

// Flag reads one bit.
func (r *BitReader) Flag() bool { return r.Read(1) == 1 }

// Peek returns up to 32 bits without moving on.
func (r *BitReader) Peek(n int) uint32 {
	c := *r
	return c.Read(n)
}

// Skip moves on by n bits.
func (r *BitReader) Skip(n int) {
	if r.Left() < n {
		r.Short = true
		return
	}
	r.Pos += n
}

// UE reads an unsigned Exp-Golomb code. See ITU-T H.265 9.2.
func (r *BitReader) UE() uint32 {
	zeros := 0
	for !r.Flag() {
		if zeros++; r.Short || zeros > 31 {
			r.Short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.Read(zeros)
}
