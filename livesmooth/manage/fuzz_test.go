package manage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/livesmooth"
	"github.com/smoothkit/smoothkit/livesmooth/manage"
)

// addGolden seeds with the golden files.
func addGolden(f *testing.F, pattern string) {
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, names)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
}

// FuzzXML: what can be read can be written and reads the same, as a tree and as settings.
func FuzzXML(f *testing.F) {
	addGolden(f, "*.xml")
	f.Add([]byte(stateDocument("Started")))
	f.Add([]byte(settingsDocument(`<Modules><Module id="x" type="sink">a<b xmlns="urn:x" c="&#10;"> </b>]]&gt;</Module></Modules>`)))
	f.Add([]byte(`<a xmlns:b="urn:b"><b:c b:d="e"/><!-- f --><?g?>&amp;<![CDATA[<]]></a>`))
	f.Add(utf16LE(settingsDocument("<Title>ü</Title>")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if once, err := manage.RewriteXML(data); err == nil {
			twice, err := manage.RewriteXML(once)
			require.NoError(t, err, "%s", once)
			require.Equal(t, string(once), string(twice))
		}
		_, _ = manage.ReadState(data)
		s, err := manage.ReadSettings(data, full())
		if err != nil {
			return
		}
		require.NoError(t, s.Validate())
		checkRewrite(t, s)
	})
}

// FuzzJSON is the same for JSON.
func FuzzJSON(f *testing.F) {
	addGolden(f, "*.json")
	f.Add([]byte(`{"state":"Started"}`))
	f.Add([]byte(`{"estimatedDurationSeconds":1e-9,"pushTo":[{"url":"http://x/a.isml"}],"hls":{"encryption":{"keyHex":""}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = manage.ReadJSONState(data)
		s, err := manage.ReadJSONSettings(data, full())
		if err != nil {
			return
		}
		require.NoError(t, s.Validate())
		checkRewrite(t, s)
	})
}

// checkRewrite writes settings in both forms and reads them again. JSON has a tenth of a microsecond for what is ten years
// long at most.
func checkRewrite(t *testing.T, s *livesmooth.Settings) {
	t.Helper()
	written := manage.WriteSettings(s)
	again, err := manage.ReadSettings(written, s)
	require.NoError(t, err)
	require.Equal(t, string(written), string(manage.WriteSettings(again)))
	data, err := manage.WriteJSONSettings(s)
	require.NoError(t, err)
	again, err = manage.ReadJSONSettings(data, s)
	require.NoError(t, err)
	twice, err := manage.WriteJSONSettings(again)
	require.NoError(t, err)
	require.Equal(t, string(data), string(twice))
}

// FuzzDuration: what is a duration stays one.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"PT0S", "P1Y2M3DT4H5M6.789S", "PT1H15M30.5S", "-P1D", "PT9223372036.854775807S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := manage.ParseDuration(s)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, d, d*0)
		again, err := manage.ParseDuration(manage.FormatDuration(d))
		require.NoError(t, err)
		require.Equal(t, d, again)
	})
}
