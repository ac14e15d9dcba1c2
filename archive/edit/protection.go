package edit

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
)

// protection returns the headers of the content protection systems of all parts.
func (w *writing) protection() []smooth.ProtectionHeader {
	var list []smooth.ProtectionHeader
	for i := range w.parts {
		if w.parts[i].snap == nil {
			continue
		}
		for _, h := range w.parts[i].snap.Manifest.Protection {
			if !slices.ContainsFunc(list, func(o smooth.ProtectionHeader) bool {
				return o.SystemID == h.SystemID && string(o.Data) == string(h.Data)
			}) {
				list = append(list, h)
			}
		}
	}
	return list
}

// appendProtection adds the protection headers to the moov box at the end of a header. See PIFF 1.1 5.3.1.
//
//	uuid: version:8 flags:24 SystemID:128 DataSize:32 Data
func appendProtection(header []byte, list []smooth.ProtectionHeader) ([]byte, error) {
	if len(list) == 0 {
		return header, nil
	}
	moov := int(binary.BigEndian.Uint32(header)) // ftyp comes first
	for _, h := range list {
		id, err := hex.DecodeString(strings.ReplaceAll(h.SystemID, "-", ""))
		if err != nil || len(id) != 16 {
			return nil, fmt.Errorf("protection system %q: %w", h.SystemID, smooth.ErrUnsupported)
		}
		id = binary.BigEndian.AppendUint32(id, uint32(len(h.Data)))
		header = fmp4.AppendFullUUID(header, fmp4.UUIDProtectionHeader, append(id, h.Data...))
	}
	binary.BigEndian.PutUint32(header[moov:], uint32(len(header)-moov))
	return header, nil
}
