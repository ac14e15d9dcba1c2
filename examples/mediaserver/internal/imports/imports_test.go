package imports_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/config"
	"github.com/smoothkit/smoothkit/examples/mediaserver/internal/imports"
)

// twoSites are sites with one address, which are told apart by host.
const twoSites = `<configuration><system.applicationHost><sites>
<site name="Default Web Site" id="1"><application path="/"><virtualDirectory path="/" physicalPath="C:\inetpub\wwwroot"/></application>
 <bindings><binding protocol="http" bindingInformation="127.0.0.1:80:"/></bindings></site>
<site name="Shop" id="2"><application path="/"><virtualDirectory path="/" physicalPath="D:\shop"/>
  <virtualDirectory path="/films" physicalPath="D:\films"/></application>
 <bindings><binding protocol="http" bindingInformation="127.0.0.1:80:shop.example"/>
  <binding protocol="https" bindingInformation="*:443:"/></bindings></site>
</sites></system.applicationHost></configuration>`

// apply imports twoSites into a configuration, DIR being where the directories are.
func apply(t *testing.T, text string) (*config.Config, *imports.Report, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"wwwroot", "shop", "films", "extra"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "applicationHost.config"), []byte(twoSites), 0o644))
	text += "\nimport: [{file: applicationHost.config, paths: {'C:\\inetpub': DIR, 'D:\\': DIR}}]\n"
	cfg, err := config.Parse([]byte(strings.ReplaceAll(text, "DIR", filepath.ToSlash(dir))), filepath.Join(dir, "m.yaml"))
	require.NoError(t, err)
	report, err := imports.Apply(cfg)
	require.NoError(t, err)
	return cfg, report, dir
}

// TestBindings: each site is served where it was, and what cannot be listened on does not make it a site for every host.
func TestBindings(t *testing.T) {
	cfg, report, dir := apply(t, "")
	assert.Equal(t, []config.Listener{{Address: "127.0.0.1:80"}}, cfg.Listen)
	require.Len(t, cfg.Sites, 2)
	assert.Empty(t, cfg.Sites[0].Hosts)
	assert.Equal(t, filepath.Join(dir, "wwwroot"), cfg.Sites[0].Root)
	assert.Equal(t, []string{"shop.example"}, cfg.Sites[1].Hosts)
	assert.Equal(t, []string{"127.0.0.1:80"}, cfg.Sites[1].On)
	assert.Contains(t, strings.Join(report.Problems(), "\n"), ":7: https at :443 is left out")
}

// TestSameName: a site of the configuration with the name of an imported one says what IIS did not know of it.
func TestSameName(t *testing.T) {
	cfg, _, dir := apply(t, "sites: [{name: shop, hide: [/ads], folders: {/extra: DIR/extra}}]")
	require.Len(t, cfg.Sites, 2)
	shop := cfg.Sites[0]
	assert.Equal(t, "shop", shop.Name)
	assert.Equal(t, filepath.Join(dir, "shop"), shop.Root)
	assert.Equal(t, map[string]string{"/extra": filepath.Join(dir, "extra"), "/films": filepath.Join(dir, "films")}, shop.Folders)
	assert.Equal(t, []string{"shop.example"}, shop.Hosts)
	assert.Equal(t, []string{"/ads"}, shop.Hide)
	assert.NotNil(t, shop.IIS)
}
