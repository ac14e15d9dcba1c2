package iis_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/iis"
)

func TestMapPath(t *testing.T) {
	p, err := iis.NewPaths(map[string]string{
		`C:\inetpub\wwwroot`: "/srv/www", `c:/inetpub/wwwroot/Video/`: "/mnt/video", `\\NAS\media`: "/mnt/nas", "D:": "/mnt/d",
		"/data": "/mnt/data", "%MEDIA%": `D:\media`, `%SystemRoot%\Temp`: "/tmp",
	})
	require.NoError(t, err)
	for physical, want := range map[string]string{
		`C:\inetpub\wwwroot`: "/srv/www", `%SystemDrive%\inetpub\wwwroot\a\b.mp4`: "/srv/www/a/b.mp4", `%SYSTEMDRIVE%/InetPub/WWWroot/`: "/srv/www",
		`C:\inetpub\wwwroot\video\x`: "/mnt/video/x", `C:\inetpub\wwwroot\videos`: "/srv/www/videos", `C:\inetpub\wwwroot\.\a\..\b`: "/srv/www/b",
		`\\nas\MEDIA\archive`: "/mnt/nas/archive", "//nas/media": "/mnt/nas", `%media%\x`: "/mnt/d/media/x", `D:\`: "/mnt/d", "d:": "/mnt/d",
		"/data/x": "/mnt/data/x", `C:\Windows\Temp\y`: "/tmp/y", ` D:\a `: "/mnt/d/a", `D:\PROGRA~1\x`: "/mnt/d/PROGRA~1/x", `D:\a b`: "/mnt/d/a b",
		// Not mapped.
		`C:\inetpub\other`: "", `E:\x`: "", `D:x`: "", `x\y`: "", "": "", `D:\..\x`: "", `D:\a\..\..\x`: "", `%NONE%\x`: "", `%MEDIA`: "",
		`D:\con\x`: "", `D:\a.\x`: "", `D:\a:b`: "", `\\?\D:\x`: "", `\\.\D:\x`: "", `\??\D:\x`: "", `\\nas`: "", `\\nas\`: "",
		`\\other\media`: "", "D:\\a\x00b": "", "D:\\\xff": "", `D:\` + strings.Repeat("a", 5000): "", "/other": "",
	} {
		got, ok := p.Map(physical)
		if want != "" {
			want = filepath.FromSlash(want)
		}
		assert.Equal(t, want, got, physical)
		assert.Equal(t, want != "", ok, physical)
	}
	got, ok := iis.MapPath(map[string]string{`C:\inetpub\wwwroot`: "/srv"}, `C:\inetpub\wwwroot\video`)
	assert.True(t, ok)
	assert.Equal(t, filepath.FromSlash("/srv/video"), got)
	for _, table := range []map[string]string{
		{"relative": "/x"}, {"C:": ""}, {`C:\a`: "/x", "c:/A/": "/y"}, {"%X": "/y"},
	} {
		_, err := iis.NewPaths(table)
		require.ErrorIs(t, err, iis.ErrMapping)
		_, ok := iis.MapPath(table, `C:\a`)
		assert.False(t, ok)
	}
}
