// Package httpx holds what the handlers of the suite share about HTTP.
package httpx

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Conditional reports whether a request has a Range or a precondition, so that [http.ServeContent] has to answer.
func Conditional(r *http.Request) bool {
	h := r.Header
	return h["Range"] != nil || h["If-None-Match"] != nil || h["If-Modified-Since"] != nil ||
		h["If-Match"] != nil || h["If-Unmodified-Since"] != nil
}

// CacheControl returns the value of Cache-Control for a lifetime, of which a negative one means no-store.
func CacheControl(age time.Duration) string {
	if age < 0 {
		return "no-store"
	}
	return "public, max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
}

// AcceptsGzip reports whether values of Accept-Encoding prefer gzip to identity. See RFC 9110 12.5.3.
func AcceptsGzip(values []string) bool {
	gzip, any, identity := -1, -1, 0
	for _, value := range values {
		for rest, more := value, true; more; {
			var item string
			item, rest, more = strings.Cut(rest, ",")
			coding, params, _ := strings.Cut(item, ";")
			coding = strings.Trim(coding, " \t")
			switch {
			case strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip"):
				gzip = qualityOf(params)
			case coding == "*":
				any = qualityOf(params)
			case strings.EqualFold(coding, "identity"):
				identity = qualityOf(params)
			}
		}
	}
	if gzip < 0 {
		gzip = any
	}
	return gzip > 0 && gzip >= identity
}

// qualityOf returns the weight in the parameters of a list element in thousandths. An absent weight is 1, a malformed
// one 0. See RFC 9110 12.4.2.
func qualityOf(params string) int {
	for rest, more := params, params != ""; more; {
		var item string
		item, rest, more = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(item, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.Trim(value, " \t"), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return int(q * 1000)
	}
	return 1000
}

// Compress returns data compressed with gzip, as small as it gets: what is compressed is sent many times.
func Compress(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
