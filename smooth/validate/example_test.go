package validate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/smoothkit/smoothkit/smooth/smoothtest"
	"github.com/smoothkit/smoothkit/smooth/validate"
)

// The files of a presentation are checked, and that they agree.
func ExampleFS() {
	report, err := validate.FS(context.Background(), smoothtest.Sample(), "sample.ism", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Checked.Streams, "streams,", report.Checked.Levels, "levels,", report.Checked.Fragments, "fragments")
	fmt.Println(report.Errors(), "errors,", report.Warnings(), "warnings")
	// Output:
	// 4 streams, 6 levels, 96 fragments
	// 0 errors, 0 warnings
}

func ExampleManifest() {
	report := validate.Manifest([]byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
<StreamIndex Type="text" Chunks="1" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(text={start time})">
<QualityLevel Index="0" Bitrate="1000" FourCC="TTML" CodecPrivateData=""/>
<c d="10000000" r="2"/>
</StreamIndex>
</SmoothStreamingMedia>`), nil)
	for _, v := range report.Violations {
		fmt.Println(v.Rule.ID, v.Rule.Severity, v.Rule.Clause)
		fmt.Println(" ", v.Text)
	}
	// Output:
	// SM203 error [MS-SSTR] 2.2.2.3
	//   there is no Subtype
	// SM209 error [MS-SSTR] 2.2.2.3
	//   Chunks is 1, 2 are listed
	// SM404 error [MS-SSTR] 2.2.2.6
	//   there is r=2, and MinorVersion is not 2
}
