package redisstore

import (
	"bytes"
	"compress/flate"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/playlist"
)

// fullList has a value in every field, also in those that there will be.
func fullList(tb testing.TB) *playlist.Playlist {
	p := &playlist.Playlist{Entries: make([]playlist.Entry, 1), Warnings: make([]playlist.Warning, 1)}
	for _, v := range []any{p, &p.Entries[0], &p.Warnings[0]} {
		s := reflect.ValueOf(v).Elem()
		for i := range s.NumField() {
			switch f := s.Field(i); f.Kind() {
			case reflect.String:
				f.SetString("<ü>&\"" + s.Type().Field(i).Name)
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int, reflect.Int64:
				f.SetInt(int64(i) + 1)
			case reflect.Slice:
			case reflect.Struct:
				require.IsType(tb, time.Time{}, f.Interface())
				f.Set(reflect.ValueOf(time.Date(2026, 3, 1, 20, 15, 0, 123, time.UTC)))
			default:
				tb.Fatalf("field %s", s.Type().Field(i).Name)
			}
		}
	}
	p.Entries[0].Src = "not UTF-8: \xff\x00"
	return p
}

func TestListCode(t *testing.T) {
	large := fullList(t)
	for range 100 {
		large.Entries = append(large.Entries, large.Entries[0])
	}
	for name, p := range map[string]*playlist.Playlist{"zero": {}, "full": fullList(t), "large": large} {
		data, err := encodeList(p)
		require.NoError(t, err, name)
		got, err := decodeList(data)
		require.NoError(t, err, name)
		assert.Equal(t, p, got, name)
		for n := range len(data) {
			if n < len(data)-1 || name == "large" { // the last byte of JSON is the end of the line
				_, err := decodeList(data[:n])
				require.Error(t, err, "%s: %d of %d bytes", name, n, len(data))
			}
		}
	}
}

func TestListTooLarge(t *testing.T) {
	_, err := encodeList(&playlist.Playlist{Description: strings.Repeat("x", maxListBytes)})
	assert.ErrorContains(t, err, "at most")
	var bomb bytes.Buffer
	bomb.WriteByte(deflatedJSON)
	w, err := flate.NewWriter(&bomb, flate.BestSpeed)
	require.NoError(t, err)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range maxListBytes>>20 + 1 {
		_, err = w.Write(spaces)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	_, err = decodeList(bomb.Bytes())
	assert.ErrorContains(t, err, "more than")
}

func TestListCache(t *testing.T) {
	var c listCache
	for i := range 100 {
		c.put(fmt.Sprint(i), &playlist.Playlist{Title: strings.Repeat("x", 1<<20)})
		c.put(fmt.Sprint(i), &playlist.Playlist{Title: "another"})
		require.LessOrEqual(t, c.bytes, maxCacheBytes)
		require.Len(t, c.get(fmt.Sprint(i)).Title, 1<<20)
	}
	assert.Nil(t, c.get("0"))
	assert.Len(t, c.lists, 31)
	assert.Len(t, c.order, 31)
	c.put("too large", &playlist.Playlist{Title: strings.Repeat("x", maxCacheBytes)})
	assert.Nil(t, c.get("too large"))
	assert.Len(t, c.lists, 31)
}

func FuzzList(f *testing.F) {
	for _, p := range []*playlist.Playlist{{}, fullList(f), {Entries: make([]playlist.Entry, 50)}} {
		data, err := encodeList(p)
		require.NoError(f, err)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	for _, s := range []string{"", "\x01null", "\x01{\"Entries\":[null,{\"Src\":null},{\"Src\":\"AA==\"}]}", "\x02x", "{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodeList(data)
		if err != nil {
			return
		}
		again, err := encodeList(p)
		if err != nil { // a time that JSON has no form for
			return
		}
		second, err := decodeList(again)
		require.NoError(t, err)
		require.Len(t, second.Entries, len(p.Entries))
		for i := range p.Entries {
			require.Equal(t, p.Entries[i], second.Entries[i])
		}
	})
}
