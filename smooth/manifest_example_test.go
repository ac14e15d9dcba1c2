package smooth_test

import (
	"fmt"
	"log"

	"github.com/smoothkit/smoothkit/smooth"
)

func ExampleParseManifest() {
	m, err := smooth.ParseManifest([]byte(`<SmoothStreamingMedia MajorVersion="2" MinorVersion="2" Duration="50000000">
  <StreamIndex Type="video" Url="QualityLevels({bitrate})/Fragments(video={start time})">
    <QualityLevel Index="0" Bitrate="500000" FourCC="H264" MaxWidth="320" MaxHeight="180" CodecPrivateData=""/>
    <c d="20000000" r="2"/><c d="10000000"/>
  </StreamIndex>
</SmoothStreamingMedia>`))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range m.Streams {
		fmt.Println(s.Name, s.Levels[0].Bitrate)
		for _, c := range s.Timeline {
			fmt.Println(c.Time, c.Duration)
		}
	}
	// Output:
	// video 500000
	// 0 20000000
	// 20000000 20000000
	// 40000000 10000000
}

func ExampleManifest_AppendXML() {
	m := &smooth.Manifest{
		Duration: 40000000,
		Streams: []*smooth.Stream{{
			Type:     smooth.Video,
			URL:      "QualityLevels({bitrate})/Fragments(video={start time})",
			Levels:   []*smooth.QualityLevel{{Bitrate: 500000, FourCC: "H264", MaxWidth: 320, MaxHeight: 180}},
			Timeline: smooth.Timeline{{Time: 0, Duration: 20000000}, {Time: 20000000, Duration: 20000000}},
		}},
	}
	data, err := m.AppendXML(nil, &smooth.ManifestOptions{URLSuffix: "?token=x"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", data)
	// Output:
	// <?xml version="1.0" encoding="utf-8"?>
	// <SmoothStreamingMedia MajorVersion="2" MinorVersion="2" Duration="40000000">
	// <StreamIndex Type="video" Name="video" Chunks="2" QualityLevels="1" Url="QualityLevels({bitrate})/Fragments(video={start time})?token=x">
	// <QualityLevel Index="0" Bitrate="500000" CodecPrivateData="" FourCC="H264" MaxWidth="320" MaxHeight="180"/>
	// <c d="20000000" r="2"/>
	// </StreamIndex>
	// </SmoothStreamingMedia>
}

func ExampleParseServerManifest() {
	m, err := smooth.ParseServerManifest([]byte(`<smil xmlns="http://www.w3.org/2001/SMIL20/Language"><body><switch>
  <video src="clip%201200.ismv" systemBitrate="1200000"><param name="trackID" value="2" valuetype="data"/></video>
</switch></body></smil>`))
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range m.Tracks {
		id, _ := t.TrackID()
		fmt.Println(t.Name(), t.Bitrate, t.SrcPath(), id)
	}
	// Output:
	// video 1200000 clip 1200.ismv 2
}
