package usage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/usage"
)

func TestParseCMCD(t *testing.T) {
	c, err := usage.ParseCMCD(`bl=21300,br=3200,bs,cid="faec5fc2-ac30-11ea-bb37-0242ac130002",d=4004,dl=18500,mtp=48100,` +
		`nor="..%2F300kbps%2Ftrack.m4v",nrr="12323-48763",ot=v,pr=1.08,rtp=12000,sf=d,sid="6e2fb550-c457-11e9-bb97-0800200c9a66",` +
		`st=v,su,tb=6000,v=1,com.example-key="a,b"`)
	require.NoError(t, err)
	assert.Equal(t, 21300*time.Millisecond, c.BufferLength)
	assert.Equal(t, int64(3_200_000), c.Bitrate)
	assert.True(t, c.Starved)
	assert.Equal(t, "faec5fc2-ac30-11ea-bb37-0242ac130002", c.Content)
	assert.Equal(t, 4004*time.Millisecond, c.ObjectDuration)
	assert.Equal(t, 18500*time.Millisecond, c.Deadline)
	assert.Equal(t, int64(48_100_000), c.Throughput)
	assert.Equal(t, "..%2F300kbps%2Ftrack.m4v", c.NextObject)
	assert.Equal(t, "v", c.ObjectType)
	assert.Equal(t, 1.08, c.PlaybackRate())
	assert.Equal(t, int64(12_000_000), c.Requested)
	assert.Equal(t, "d", c.Format)
	assert.Equal(t, "6e2fb550-c457-11e9-bb97-0800200c9a66", c.Session)
	assert.Equal(t, "v", c.StreamType)
	assert.True(t, c.Startup)
	assert.Equal(t, int64(6_000_000), c.TopBitrate)
	assert.Equal(t, int64(1), c.Version)
	again, err := usage.ParseCMCD(c.String())
	require.NoError(t, err)
	assert.Equal(t, c, again)
}

func TestParseCMCDValues(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"", ""},
		{"br=0", "br=0"},
		{"br=1, bl=2 ,d=3", "bl=2,br=1,d=3"},
		{"br=1,", "br=1"},
		{"bs=true,su=false", "bs,su=false"},
		{"bs=?1,su=?0", "bs,su=false"},
		{"bs=yes", ""},
		{`sid="a\"b\\c"`, `sid="a\"b\\c"`},
		{`sid="a,b=c"`, `sid="a,b=c"`},
		{`sid=abc`, ""},
		{`sid=""`, `sid=""`},
		{`sid="""a"`, ""}, // a quote in a string without a backslash
		{`sid="` + strings.Repeat("x", 257) + `"`, ""},
		{"br=-1", ""}, {"br=+1", ""}, {"br=1.5", ""}, {"br=", ""}, {"br", ""}, {"br=99999999999999999999", ""}, {"bl=1000000000001", ""},
		{"br=(v;3000)", ""},
		{"pr=1", "pr=1"}, {"pr=0.500", "pr=0.5"}, {"pr=-1", ""}, {"pr=1e9", ""}, {"pr=NaN", ""}, {"pr=1.2345", ""}, {"pr=.5", ""}, {"pr=5.", ""},
		{"ot=av", "ot=av"}, {"ot=tt", "ot=tt"}, {"ot=V", ""}, {"ot=video", ""}, {"ot=", ""},
		{"br=1,br=2", "br=2"},
		{"br=1,br=x", ""},
		{"x", ""},
		{"unknown=\xff\x00", ""},
	} {
		got, err := usage.ParseCMCD(c.in)
		if assert.NoError(t, err, "%q", c.in) {
			assert.Equal(t, c.out, got.String(), "%q", c.in)
		}
	}
}

func TestParseCMCDErrors(t *testing.T) {
	for _, in := range []string{
		`sid="abc`, `sid="abc\"`, `=1`, `br=1,=2`, `,br=1`, `br=1,,bl=2`,
		strings.Repeat("a,", 65), "nor=\"" + strings.Repeat("a", 4096) + "\"",
	} {
		_, err := usage.ParseCMCD(in)
		assert.ErrorIs(t, err, usage.ErrCMCD, "%.40q", in)
	}
}

func TestRequestCMCD(t *testing.T) {
	for name, r := range map[string]struct {
		url    string
		header []string
		want   string
	}{
		"headers": {"/a", []string{"CMCD-Request", "bl=10,mtp=20", "CMCD-Object", "br=30,ot=v", "CMCD-Status", "bs", "CMCD-Session", `sid="s"`},
			`bl=10,br=30,bs,mtp=20,ot=v,sid="s"`},
		"query":               {"/a?x=1&CMCD=br%3D30%2Csid%3D%22s+1%22", nil, `br=30,sid="s 1"`},
		"query in small":      {"/a?cmcd=br%3D30", nil, ""},
		"headers win":         {"/a?CMCD=br%3D30", []string{"CMCD-Object", "br=40"}, "br=40"},
		"bad encoding":        {"/a?CMCD=%zz", nil, ""},
		"long query":          {"/a?CMCD=nor%3D%22" + strings.Repeat("a", 13000) + "%22", nil, ""},
		"a fault in the list": {"/a", []string{"CMCD-Object", `br=40,x,,ot=v`}, "br=40"},
		"none":                {"/a?b=c", nil, ""},
	} {
		got, ok := usage.RequestCMCD(get(r.url, r.header...))
		assert.Equal(t, r.want, got.String(), name)
		assert.Equal(t, r.want != "", ok, name)
	}
}

func FuzzParseCMCD(f *testing.F) {
	for _, s := range []string{
		`bl=21300,br=3200,bs,cid="x",d=4004`, `sid="a\"b\\c",pr=1.08`, `sid="abc`, "br=1,,", `nor="a%2Fb",su=false,v=2`, "\xff=\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := usage.ParseCMCD(s)
		if err != nil {
			require.ErrorIs(t, err, usage.ErrCMCD)
			return
		}
		require.LessOrEqual(t, len(c.Session)+len(c.Content), 512)
		require.GreaterOrEqual(t, c.Bitrate, int64(0))
		require.GreaterOrEqual(t, c.BufferLength, time.Duration(0))
		text := c.String()
		if len(text) > 4096 {
			return // escapes made it longer than what is read
		}
		again, err := usage.ParseCMCD(text)
		require.NoError(t, err, text)
		require.Equal(t, c, again, text)
	})
}
