package mpegts

// Constants of the program clock reference, in ticks of 90 kHz.
const (
	// PCRLead is how far the PCR of a unit lies before its time of decoding: 100 ms.
	PCRLead = 9000
	// PCRInterval is the longest time between two PCR of a program: 100 ms, ISO/IEC 13818-1 2.7.2.
	PCRInterval = 9000
	// maxHeld bounds the span that packets with nothing but a PCR fill after one unit: an hour. A picture may stand
	// for long, but a duration must not make any number of packets.
	maxHeld = 3600 * 90000
)

// clock says which PCR are due between units. The zero value has none.
type clock struct {
	next uint64 // the next PCR to be written in a packet of its own
	end  uint64 // and the time at which the next unit brings one
}

// unit notes a unit of the stream that carries the PCR, and returns its PCR.
func (c *clock) unit(dts uint64, duration uint32) uint64 {
	pcr := dts - PCRLead
	c.next, c.end = pcr+PCRInterval, pcr+uint64(min(duration, maxHeld))
	return pcr
}

// due returns how many PCR are to be written before a time. Times may wrap, so only differences are compared.
func (c *clock) due(before uint64) int {
	if int64(c.end-c.next) <= 0 {
		return 0
	}
	if int64(before-c.end) > 0 {
		before = c.end
	}
	ticks := int64(before - c.next)
	if ticks <= 0 {
		return 0
	}
	return int((ticks + PCRInterval - 1) / PCRInterval)
}

// put writes n packets with nothing but a PCR. Such packets repeat the counter of the last with payload.
func (c *clock) put(packets []byte, header uint32, n int) []byte {
	header = header&^counterMask | (header-1)&counterMask
	for range n {
		p := adaptation{flags: adaptPCR, pcr: c.next}
		p.put(packets, header&^flagPayload, 0)
		packets = packets[PacketSize:]
		c.next += PCRInterval
	}
	return packets
}
