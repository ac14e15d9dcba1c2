package manage

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/livesmooth"
)

// moduleHLS is the id of the module that makes HLS.
const moduleHLS = "hls"

// settingsElement returns settings as IIS wrote them: what has its default and was not in its samples is left out.
func settingsElement(s *livesmooth.Settings) *element {
	e := node("Settings",
		textNode("Title", s.Title),
		textNode("SourceType", string(sourceType(s))),
		durationNode("EstimatedDuration", s.EstimatedDuration),
		boolNode("AutoStart", s.AutoStart),
		boolNode("AutoRestartOnEncoderReconnect", s.AutoRestart),
		textNode("LookAheadChunks", strconv.Itoa(s.Lookahead)),
		node("Archive",
			durationNode("SegmentLength", s.Archive.SegmentLength),
			textNode("Path", s.Archive.Path).with("useEventIdOnPath", formatBool(s.Archive.EventIDOnPath)),
		).with("enabled", formatBool(s.Archive.Enabled)),
		node("ClientConnections",
			durationNode("WindowLength", s.Viewers.WindowLength),
			durationNode("LiveCacheLength", s.Viewers.LiveCacheLength),
			textNode("ClientManifestVersion", manifestVersion(s)),
		).with("enabled", formatBool(s.Viewers.Enabled)),
		node("ServerConnections",
			boolNode("SendEndOfStreamOnStop", s.Servers.EndOnStop),
		).with("enabled", formatBool(s.Servers.Enabled)),
		remoteNode("PullFrom", s.PullFrom), remoteNode("PushTo", s.PushTo),
	)
	e.add(modulesNode(s))
	return e
}

func sourceType(s *livesmooth.Settings) livesmooth.SourceType {
	if s.Source == "" {
		return livesmooth.SourcePush
	}
	return s.Source
}

func manifestVersion(s *livesmooth.Settings) string {
	if s.Viewers.ManifestVersion == "" {
		return "2.0"
	}
	return s.Viewers.ManifestVersion
}

func formatBool(v bool) string { return strconv.FormatBool(v) }

func boolNode(name string, v bool) *element { return textNode(name, formatBool(v)) }

// durationNode returns nil for zero.
func durationNode(name string, d time.Duration) *element {
	if d == 0 {
		return nil
	}
	return textNode(name, formatDuration(d))
}

// remoteNode returns nil for an empty list.
func remoteNode(name string, list []livesmooth.RemotePoint) *element {
	if len(list) == 0 {
		return nil
	}
	points := node("PublishingPoints")
	for _, r := range list {
		p := textNode("PublishingPoint", r.URL)
		if r.Credential != "" {
			p.with("credentialName", r.Credential)
		}
		points.add(p)
	}
	return node(name, points)
}

// modulesNode returns nil if there are no modules.
func modulesNode(s *livesmooth.Settings) *element {
	e := node("Modules")
	if s.HLS != nil {
		e.add(node("Module", hlsNode(s.HLS)).with("id", moduleHLS).with("type", "sink").with("name", "HTTP Live Streaming"))
	}
	e.add(keptModules(s)...)
	if len(e.children) == 0 {
		return nil
	}
	return e
}

func hlsNode(h *livesmooth.HLSSettings) *element {
	encryption := node("Encryption").with("enabled", formatBool(h.Encrypt))
	if len(h.Key) > 0 {
		encryption.add(textNode("Key", strings.ToUpper(hex.EncodeToString(h.Key))))
	}
	return node("HLS",
		textNode("SegmentLength", formatDuration(segmentLength(h))),
		textNode("MaxBitRate", strconv.FormatUint(maxBitrate(h), 10)),
		boolNode("AllowCaching", h.AllowCaching),
		boolNode("BackwardCompatible", h.BackwardCompatible),
		boolNode("IncludeCodecs", h.IncludeCodecs),
		encryption,
	)
}

func segmentLength(h *livesmooth.HLSSettings) time.Duration {
	if h.SegmentLength == 0 {
		return livesmooth.DefaultHLSSegmentLength
	}
	return h.SegmentLength
}

func maxBitrate(h *livesmooth.HLSSettings) uint64 {
	if h.MaxBitrate == 0 {
		return livesmooth.DefaultHLSMaxBitrate
	}
	return h.MaxBitrate
}

// readSettings returns the settings that a document describes. It is the whole of them: what is absent has its default,
// as the documentation of the elements says and as IIS left defaults out itself. Only what has no place in the document
// is taken from current, which may be nil: unknown metas of the file, and an encryption key where the document has an
// Encryption element without one, so that a reader who is not shown keys does not lose them.
func readSettings(data []byte, current *livesmooth.Settings) (*livesmooth.Settings, error) {
	e, err := readPayload(data, "Settings")
	if err != nil {
		return nil, err
	}
	r := settingsReader{s: livesmooth.DefaultSettings(), key: keepKey}
	if err := r.settings(e); err != nil {
		return nil, err
	}
	keepUnknown(r.s, current, r.key)
	setKeptModules(r.s, r.modules)
	return checked(r.s)
}

// keyRule says what becomes of the encryption key.
type keyRule bool

const (
	keepKey    keyRule = false // the document has none
	replaceKey keyRule = true  // the document has one, or an empty one
)

// keepUnknown copies from current settings what documents cannot say.
func keepUnknown(s, current *livesmooth.Settings, key keyRule) {
	if current == nil {
		return
	}
	c := current.Clone()
	s.Filters, s.Extra = c.Filters, c.Extra
	if s.HLS != nil && c.HLS != nil {
		s.HLS.Extra = c.HLS.Extra
		if key == keepKey {
			s.HLS.Key = c.HLS.Key
		}
	}
}

// settingsReader fills settings from a document.
type settingsReader struct {
	s       *livesmooth.Settings
	key     keyRule
	modules []*element // that are not HLS
}

func (r *settingsReader) settings(e *element) error {
	s := r.s
	return e.read(fields{
		"Title":                         textInto(&s.Title),
		"SourceType":                    r.sourceType,
		"EstimatedDuration":             durationInto(&s.EstimatedDuration),
		"AutoStart":                     boolInto(&s.AutoStart),
		"AutoRestartOnEncoderReconnect": boolInto(&s.AutoRestart),
		"LookAheadChunks":               intInto(&s.Lookahead),
		"Archive":                       r.archive,
		"ClientConnections":             r.viewers,
		"ServerConnections":             r.servers,
		"PullFrom":                      remotesInto(&s.PullFrom),
		"PushTo":                        remotesInto(&s.PushTo),
		"Modules":                       r.readModules,
	})
}

func (r *settingsReader) sourceType(e *element) error {
	text, err := e.leaf()
	if err != nil {
		return err
	}
	for _, t := range []livesmooth.SourceType{livesmooth.SourcePush, livesmooth.SourcePull} {
		if equalFold(text, string(t)) {
			r.s.Source = t
			return nil
		}
	}
	return e.fail(codeData, "%q is neither Push nor Pull", abbreviate(text))
}

func (r *settingsReader) archive(e *element) error {
	a := &r.s.Archive
	if err := enabledInto(e, &a.Enabled); err != nil {
		return err
	}
	return e.read(fields{"SegmentLength": durationInto(&a.SegmentLength), "Path": r.archivePath}, "enabled")
}

func (r *settingsReader) archivePath(e *element) error {
	a := &r.s.Archive
	var err error
	if a.Path, err = e.leaf("useEventIdOnPath"); err != nil {
		return err
	}
	if v, ok := e.attr("useEventIdOnPath"); ok {
		return parseBool(e, v, &a.EventIDOnPath)
	}
	return nil
}

func (r *settingsReader) viewers(e *element) error {
	v := &r.s.Viewers
	if err := enabledInto(e, &v.Enabled); err != nil {
		return err
	}
	return e.read(fields{
		"WindowLength": durationInto(&v.WindowLength), "LiveCacheLength": durationInto(&v.LiveCacheLength),
		"ClientManifestVersion": textInto(&v.ManifestVersion),
	}, "enabled")
}

func (r *settingsReader) servers(e *element) error {
	v := &r.s.Servers
	if err := enabledInto(e, &v.Enabled); err != nil {
		return err
	}
	return e.read(fields{"SendEndOfStreamOnStop": boolInto(&v.EndOnStop)}, "enabled")
}

// readModules reads HLS and keeps the others.
func (r *settingsReader) readModules(e *element) error {
	seen := make(map[string]bool)
	for _, m := range e.children {
		id, _ := m.attr("id")
		kind, _ := m.attr("type")
		id = strings.ToLower(id)
		switch {
		case m.space != nsManagement || m.name != "Module":
			return m.fail(codeSchema, "unknown in Modules")
		case id == "" || kind == "":
			return m.fail(codeSchema, "the attributes id and type are required")
		case seen[id]:
			return m.fail(codeSchema, "id %q twice", abbreviate(id))
		}
		seen[id] = true
		if id != moduleHLS {
			r.modules = append(r.modules, m)
			continue
		}
		r.s.HLS = &livesmooth.HLSSettings{}
		if err := m.read(fields{"HLS": r.hls}, "id", "type", "name"); err != nil {
			return err
		}
	}
	if strings.TrimSpace(e.text) != "" {
		return e.fail(codeSchema, "text between elements")
	}
	return checkKept(e, r.modules)
}

func (r *settingsReader) hls(e *element) error {
	h := r.s.HLS
	return e.read(fields{
		"SegmentLength":      durationInto(&h.SegmentLength),
		"MaxBitRate":         uintInto(&h.MaxBitrate),
		"AllowCaching":       boolInto(&h.AllowCaching),
		"BackwardCompatible": boolInto(&h.BackwardCompatible),
		"IncludeCodecs":      boolInto(&h.IncludeCodecs),
		"Encryption":         r.encryption,
	})
}

func (r *settingsReader) encryption(e *element) error {
	if err := enabledInto(e, &r.s.HLS.Encrypt); err != nil {
		return err
	}
	return e.read(fields{"Key": func(k *element) error {
		text, err := k.leaf()
		if err != nil {
			return err
		}
		r.key = replaceKey
		if r.s.HLS.Key, err = parseKey(text); err != nil {
			return k.fail(codeData, "not 32 hexadecimal digits")
		}
		return nil
	}}, "enabled")
}

// parseKey reads an AES-128 key; an empty one gives nil. The error does not show it.
func parseKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 0 && len(key) != 16 {
		return nil, fail(codeData, "not 32 hexadecimal digits")
	}
	if len(key) == 0 {
		return nil, nil
	}
	return key, nil
}
