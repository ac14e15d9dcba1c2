package playlist

import (
	"errors"
	"mime"
	"strings"
	"time"

	"github.com/smoothkit/smoothkit/internal/iisconfig"
	"github.com/smoothkit/smoothkit/internal/xmltree"
)

func (b *configBuilder) sessionProviders() iisconfig.CollectionReader[ConfigSessionProvider] {
	return iisconfig.CollectionReader[ConfigSessionProvider]{
		Add: "sessionProvider", Key: "name", Layer: b.number, Read: b.sessionProvider,
	}
}

func (b *configBuilder) sessionProvider(el *xmltree.Element) (p ConfigSessionProvider, ok bool) {
	p.InactivityTimeout, p.TimeToLive = defaultInactivity, defaultTimeToLive
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		switch name {
		case "name":
			p.Name = a.Value
		case "persistencetype":
			p.PersistenceType = a.Value
		case "inactivitytimeout":
			return true, setUnit(&p.InactivityTimeout, a.Value, time.Minute, 1, maxMinutes)
		case "timetolive":
			return true, setUnit(&p.TimeToLive, a.Value, time.Minute, 1, maxMinutes)
		case "maxactivesessions":
			return true, iisconfig.SetWhole(&p.MaxActiveSessions, a.Value, 0, maxConfigUint)
		default:
			return false, nil
		}
		return true, nil
	})
	return p, ok
}

func (b *configBuilder) accessOptions() iisconfig.CollectionReader[ConfigAccessOption] {
	return iisconfig.CollectionReader[ConfigAccessOption]{
		Add: "accessOption", Key: "path", Layer: b.number, Read: b.accessOption, Required: []string{"userName"},
	}
}

func (b *configBuilder) accessOption(el *xmltree.Element) (o ConfigAccessOption, ok bool) {
	o.LogonMethod = LogonClearText
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (known bool, err error) {
		switch name {
		case "path":
			o.Path = a.Value
		case "username":
			o.UserName = a.Value
		case "password":
			o.Password = a.Value
			if a.Value != "" {
				b.log.Warn(a.At, "%s: passwords belong into a store of secrets, not into a configuration", b.log.Label(el))
			}
		case "logonmethod":
			o.LogonMethod, err = parseLogonMethod(a.Value)
		default:
			return false, nil
		}
		return true, err
	})
	return o, ok
}

func parseLogonMethod(s string) (LogonMethod, error) {
	for m := LogonInteractive; m <= LogonClearText; m++ {
		if strings.EqualFold(s, m.String()) {
			return m, nil
		}
	}
	return 0, errors.New("none of Interactive, Batch, Network, ClearText")
}

func (b *configBuilder) playlistProviders() iisconfig.CollectionReader[ConfigPlaylistProvider] {
	return iisconfig.CollectionReader[ConfigPlaylistProvider]{
		Add: "playlistProvider", Key: "extension", Layer: b.number, Read: b.playlistProvider, Required: []string{"progid"},
	}
}

func (b *configBuilder) playlistProvider(el *xmltree.Element) (p ConfigPlaylistProvider, ok bool) {
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		switch name {
		case "description":
			p.Description = a.Value
		case "progid":
			p.ProgID = a.Value
		case "extension":
			p.Extension = a.Value
		default:
			return false, nil
		}
		return true, nil
	})
	return p, ok
}

func (b *configBuilder) outputFormats() iisconfig.CollectionReader[ConfigOutputFormat] {
	return iisconfig.CollectionReader[ConfigOutputFormat]{
		Add: "outputFormat", Key: "format", Layer: b.number, Read: b.outputFormat,
	}
}

func (b *configBuilder) outputFormat(el *xmltree.Element) (f ConfigOutputFormat, ok bool) {
	f.Enabled = true
	ok = b.log.Attributes(el, func(name string, a xmltree.Attr) (bool, error) {
		switch name {
		case "enabled":
			return true, iisconfig.SetBool(&f.Enabled, a.Value)
		case "format":
			f.Format = a.Value
		case "xsltsrc":
			f.XSLTSrc = a.Value
			if a.Value != "" && a.Value[0] != '/' {
				return true, errors.New("does not begin with a slash, and is from the root of the site")
			}
		case "contenttype":
			f.ContentType = a.Value
			if _, _, err := mime.ParseMediaType(a.Value); a.Value != "" && err != nil {
				return true, errors.New("not a media type")
			}
		default:
			return false, nil
		}
		return true, nil
	})
	if ok && f.Enabled && f.XSLTSrc == "" {
		b.log.Warn(el.At, "%s: there is no xsltSrc", b.log.Label(el))
	}
	return f, ok
}
