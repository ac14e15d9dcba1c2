package bitrate

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// byClusters finds the duration of a file that does not state it, from the timestamps of its first and last cluster.
// Where the last begins too far before the end, those that can be reached from the first give an estimate.
func (s *source) byClusters(m *matroskaFile) (Info, error) {
	first, err := s.firstCluster(m)
	if err != nil {
		return Info{}, err
	}
	begin, err := s.timestamp(first)
	if err != nil {
		return Info{}, err
	}
	last, ok, err := s.lastCluster(first.off)
	if err != nil {
		return Info{}, err
	}
	info := Info{Method: "last cluster"}
	if ok && last > begin {
		info.Average, info.Duration = average(s.size, mul(last-begin, m.scale), 1e9)
		return info, nil
	}
	length, units := s.nextClusters(first, begin, m.segment.end())
	if units == 0 {
		return Info{}, s.fail(first.off, ErrUnknownRate, "no duration, and no timestamps that say it")
	}
	info.Method = "clusters (estimated)"
	info.Average = muldiv(mul(length, 8), 1e9, mul(units, m.scale))
	if info.Average > 0 {
		info.Duration = lasting(uint64(s.size)*8, uint64(info.Average))
	}
	return info, nil
}

// firstCluster finds the first cluster of the segment.
func (s *source) firstCluster(m *matroskaFile) (element, error) {
	var first element
	err := s.children(max(m.segment.off, m.cluster), m.segment.end(), maxElements, func(e element) (bool, error) {
		first = e
		return e.id != idCluster, nil
	})
	if err == nil && first.id != idCluster {
		err = s.fail(m.segment.off, ErrUnknownRate, "no duration and no cluster")
	}
	return first, err
}

// timestamp returns that of a cluster, in units of the segment. It is the first of its children, but for CRC-32, Void,
// Position and PrevSize.
func (s *source) timestamp(cluster element) (t uint64, err error) {
	found := false
	err = s.children(cluster.off, cluster.end(), 8, func(e element) (bool, error) {
		if e.id != idTimestamp {
			return true, nil
		}
		found = true
		t, err = s.number(e)
		return false, err
	})
	if err == nil && !found {
		err = s.fail(cluster.off, ErrCorrupt, "cluster without timestamp")
	}
	return t, err
}

// lastCluster returns the largest timestamp of the last cluster that begins in the tail of the file, not before least.
func (s *source) lastCluster(least int64) (t uint64, ok bool, err error) {
	for _, tail := range []int{clusterTail, clusterTails} {
		off := max(least, s.size-int64(min(tail, s.left)))
		b, err := s.upTo(off, int(s.size-off))
		if err != nil {
			return 0, false, err
		}
		for i := len(b); ; {
			if i = bytes.LastIndex(b[:i], []byte("\x1F\x43\xB6\x75")); i < 0 {
				break
			}
			if t, ok := s.clusterEnd(off + int64(i)); ok {
				return t, true, nil
			}
		}
		if off == least {
			break
		}
	}
	return 0, false, nil
}

// clusterEnd returns the largest timestamp of the cluster at an offset, or false if there is none: the four bytes of
// the ID may be content as well.
func (s *source) clusterEnd(off int64) (uint64, bool) {
	cluster, err := s.elementAt(off, s.size)
	if err != nil {
		return 0, false
	}
	t, err := s.timestamp(cluster)
	if err != nil || t > 1<<48 {
		return 0, false
	}
	last := t
	_ = s.children(cluster.off, cluster.end(), maxBlocks, func(e element) (bool, error) {
		if e.id == idBlockGroup {
			err := s.children(e.off, e.end(), 1, func(b element) (bool, error) {
				e = b
				return false, nil
			})
			if err != nil {
				return false, err
			}
		}
		if e.id == idSimpleBlock || e.id == idBlock {
			last = max(last, s.blockTime(e, t))
		}
		return true, nil
	}) // the last block may be cut
	return last, true
}

// blockTime returns the timestamp of a block in a cluster of timestamp t.
//
//	track(1 to 8 bytes) timestamp(16, signed, from that of the cluster) flags(8)    RFC 9559 section 10
func (s *source) blockTime(e element, t uint64) uint64 {
	b, err := s.upTo(e.off, int(min(e.size, 10)))
	if err != nil || len(b) == 0 || b[0] == 0 {
		return t
	}
	n := 1
	for ; b[0]<<(n-1)&0x80 == 0; n++ {
	}
	if len(b) < n+2 {
		return t
	}
	relative := int16(binary.BigEndian.Uint16(b[n:]))
	return t + uint64(max(relative, 0))
}

// maxClusterSteps is how many clusters are visited from the first. Each costs a read.
const maxClusterSteps = 16

// nextClusters walks from a cluster of a stated size to those behind it, and returns the bytes and units between.
func (s *source) nextClusters(first element, begin uint64, end int64) (length, units uint64) {
	if first.unknown {
		return 0, 0
	}
	err := s.children(first.end(), end, maxClusterSteps, func(e element) (bool, error) {
		if e.id != idCluster {
			return true, nil
		}
		t, err := s.timestamp(e)
		if err != nil {
			return false, err
		}
		if t > begin {
			length, units = uint64(e.off-first.off), t-begin
		}
		return true, nil
	})
	if err != nil && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrCorrupt) {
		return 0, 0
	}
	return length, units // also if the budget or the file ended the walk
}
