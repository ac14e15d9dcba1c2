package validate_test

import (
	"context"
	"testing"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// FuzzManifest seeks manifests that make the checks panic or hang.
func FuzzManifest(f *testing.F) {
	for _, text := range bases() {
		f.Add([]byte(text))
	}
	for _, x := range manifestFixtures() {
		if len(x.new) < 200 {
			f.Add([]byte(x.new))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := validate.Manifest(data, nil)
		if len(r.Violations) > 20*len(validate.Rules()) {
			t.Fatalf("%d violations", len(r.Violations))
		}
	})
}

// FuzzFragment seeks fragments that make the checks panic.
func FuzzFragment(f *testing.F) {
	for _, b := range fragmentBases() {
		f.Add(b.spec().build(), b.want.FourCC, string(b.want.Type), b.want.Live)
	}
	f.Fuzz(func(t *testing.T, data []byte, fourCC, typ string, live bool) {
		want := expect(smooth.StreamType(typ), fourCC, 40000000, 20000000)
		want.Live = live
		r := validate.Fragment(data, want, nil)
		if r.Errors() == 0 && len(data) == 0 {
			t.Fatal("an empty fragment passed")
		}
	})
}

// FuzzMedia seeks media files that make the checks panic.
func FuzzMedia(f *testing.F) {
	f.Add([]byte(presentationFS()["m/a_300.ismv"]), []byte(serverText))
	for _, x := range mediaFixtures() {
		m := videoFile()
		x.change(m)
		f.Add(m.build(), []byte(serverText))
	}
	f.Fuzz(func(t *testing.T, media, server []byte) {
		files := presentationFS()
		files["m/a_300.ismv"], files["m/a.ism"] = string(media), string(server)
		if _, err := validate.FS(context.Background(), mapFS(files), "m/a.ism", nil); err != nil {
			t.Fatal(err) // everything that is wrong belongs in the report
		}
	})
}
