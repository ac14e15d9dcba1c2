package validate

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
)

// playReady is the SystemID of Microsoft PlayReady.
const playReady = "9a04f079-9840-4286-ab92-e65be0885f95"

var uuidPattern = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// protection checks a Protection element.
func (c *manifestChecker) protection(e *element) {
	headers := e.all("ProtectionHeader")
	if len(headers) == 0 {
		c.rec.Add("SM601", c.at(e, nil), "there is no ProtectionHeader")
	}
	for _, h := range headers {
		c.protectionHeader(h)
	}
}

func (c *manifestChecker) protectionHeader(e *element) {
	p := c.at(e, nil)
	id, _ := e.attr("SystemID")
	plain := strings.TrimSuffix(strings.TrimPrefix(id, "{"), "}")
	switch {
	case !uuidPattern.MatchString(plain):
		c.rec.Add("SM602", p, "SystemID is %q", id)
	case plain != id:
		c.rec.Add("SM603", p, "SystemID is %q", id)
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(e.text)), ""))
	if err != nil || len(data) == 0 {
		c.rec.Add("SM604", p, "%d characters: %v", len(e.text), err)
		return
	}
	if strings.EqualFold(plain, playReady) {
		c.playReadyObject(p, data)
	}
}

// playReadyObject checks
//
//	length u32le | record count u16le | records: type u16le, length u16le, data
func (c *manifestChecker) playReadyObject(p Place, data []byte) {
	header, err := rightsHeader(data)
	if err != nil {
		c.rec.Add("SM605", p, "%v", err)
		return
	}
	if header == nil {
		c.rec.Add("SM606", p, "there is no record of type 1")
		return
	}
	x, _, err := parseXML([]byte(decodeUTF16(header, false)))
	if len(header)%2 != 0 || err != nil || x.root.name != "WRMHEADER" {
		c.rec.Add("SM607", p, "the record of %d bytes is not a WRMHEADER document in UTF-16LE", len(header))
		return
	}
	c.rightsDocument(p, x.root)
}

// rightsHeader returns the data of the record of type 1, or nil.
func rightsHeader(data []byte) (header []byte, err error) {
	if len(data) < 6 || uint64(binary.LittleEndian.Uint32(data)) != uint64(len(data)) {
		return nil, fmt.Errorf("the object has %d bytes, its length field says otherwise", len(data))
	}
	count, rest := binary.LittleEndian.Uint16(data[4:]), data[6:]
	for i := range count {
		if len(rest) < 4 {
			return nil, fmt.Errorf("record %d of %d is cut off", i+1, count)
		}
		typ, n := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
		if n > len(rest)-4 {
			return nil, fmt.Errorf("record %d has %d bytes, %d are left", i+1, n, len(rest)-4)
		}
		if typ == 1 {
			header = rest[4 : 4+n]
		}
		rest = rest[4+n:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes follow the last record", len(rest))
	}
	return header, nil
}

func (c *manifestChecker) rightsDocument(p Place, root *element) {
	version, _ := root.attr("version")
	var kids []*element
	for _, data := range root.all("DATA") {
		kids = append(kids, data.all("KID")...)
	}
	if version != "4.0.0.0" || len(kids) == 0 {
		c.rec.Add("SM608", p, "version is %q, there are %d KID elements in DATA", version, len(kids))
		return
	}
	kid, err := base64.StdEncoding.DecodeString(string(kids[0].text))
	if err != nil || len(kid) != 16 {
		c.rec.Add("SM609", p, "the KID %q has %d bytes", kids[0].text, len(kid))
	}
}
