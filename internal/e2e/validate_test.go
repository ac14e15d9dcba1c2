package e2e_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/smooth/validate"
)

// TestValidator checks what the clients of the other tests play. What ffmpeg wrote itself is served as it is: its
// negative composition offsets are worth a warning.
func TestValidator(t *testing.T) {
	base := serve(t, media(t))
	for _, p := range presentations {
		t.Run(p.name, func(t *testing.T) {
			report, err := validate.URL(context.Background(), base+p.path+"/Manifest", nil)
			require.NoError(t, err)
			assert.Greater(t, report.Checked.Fragments, 40)
			for _, v := range report.Violations {
				if v.Rule.Severity == validate.Error || p.name != "ffmpeg-ismv" {
					t.Error(v)
				}
			}
		})
	}
}
