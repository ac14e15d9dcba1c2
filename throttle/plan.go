package throttle

import (
	"cmp"
	"mime"
	"path"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/throttle/bitrate"
)

// table is rules made ready for lookup.
type table struct {
	*Rules
	extensions map[string]*Setting // in lower case
	types      map[string]*Setting // "video/mp4", "video/*"
}

func newTable(rules *Rules) *table {
	t := &table{Rules: rules, extensions: make(map[string]*Setting), types: make(map[string]*Setting)}
	settings := rules.settings()
	for i := range settings {
		s := &settings[i]
		if key := strings.ToLower(s.Match); strings.HasPrefix(key, ".") {
			t.extensions[key] = s
		} else {
			t.types[key] = s
		}
	}
	return t
}

// byName returns the setting for the extension of a path, or nil. On Windows a file is also found by its name with dots
// and blanks behind it.
func (t *table) byName(name string) *Setting {
	ext := path.Ext(strings.TrimRight(name, ". "))
	if ext == "" {
		return nil
	}
	if s, ok := t.extensions[ext]; ok {
		return s
	}
	return t.extensions[strings.ToLower(ext)]
}

// byType returns the setting for a Content-Type, or nil.
func (t *table) byType(contentType string) *Setting {
	if len(t.types) == 0 || contentType == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil
	}
	if s, ok := t.types[media]; ok {
		return s
	}
	if major, _, ok := strings.Cut(media, "/"); ok {
		return t.types[major+"/*"]
	}
	return nil
}

// plan is how a response is sent.
type plan struct {
	rate    Rate  // after the burst; zero means unthrottled
	burst   int64 // in bytes
	encoded Rate  // that of the content, zero if it does not matter
	source  string
}

// content is what plans need to know of a response, and may take a while to find.
type content func() (bitrate.Info, error)

// plan returns how to send a response with a setting, which may be nil, and variables. It asks for the rate of the
// content only if it matters. The error is that of the detection, after which the default rate counts.
func (t *table) plan(s *Setting, v *Variables, content content) (plan, error) {
	switch {
	case t.Disabled || v.Off:
		return plan{}, nil
	case v.Rate > 0:
		return t.cap(plan{rate: v.Rate, burst: v.InitialSendSize, source: "variables"}), nil
	}
	p := plan{encoded: v.EncodedRate, source: "variables"}
	if v.FileExtension != "" && v.EncodedRate > 0 {
		s = t.extensions["."+strings.ToLower(strings.TrimPrefix(v.FileExtension, "."))]
	} else {
		p.encoded = 0
	}
	if s == nil {
		return plan{}, nil
	}
	if s.Kind == Data {
		return t.cap(plan{rate: cmp.Or(s.Rate, t.DefaultRate), burst: s.InitialSendSize, source: "data"}), nil
	}
	var err error
	if p.encoded == 0 {
		p.encoded, p.source, err = t.encoded(content)
	}
	if err != nil {
		p.encoded, p.source = t.DefaultRate, "default"
	}
	burst, percentage := s.InitialBufferTime, cmp.Or(v.RatePercentage, s.RatePercentage, 100)
	if v.InitialBufferTime != nil {
		burst = *v.InitialBufferTime
	}
	p.burst = p.encoded.Bytes(burst)
	p.rate = p.encoded.percent(percentage)
	if err != nil {
		p.rate = p.encoded // the default rate is one to send at, not one that was encoded
	}
	return t.cap(p), err
}

// encoded returns the rate of the content by these rules.
func (t *table) encoded(content content) (Rate, string, error) {
	info, err := content()
	if err != nil {
		return 0, "", err
	}
	if t.UsePeak && info.Container == bitrate.ASF && info.Peak > 0 {
		return Rate(info.Peak), "peak", nil
	}
	return Rate(info.Average), info.Method, nil
}

// cap applies the maximum rate.
func (t *table) cap(p plan) plan {
	if t.MaxRate > 0 {
		p.rate = min(p.rate, t.MaxRate)
	}
	return p
}

// seekBurst returns the burst that a seek earns, in bytes: so much time of the content, and no more than the first.
func (p *plan) seekBurst(d time.Duration) int64 {
	return min(cmp.Or(p.encoded, p.rate).Bytes(d), p.burst)
}
