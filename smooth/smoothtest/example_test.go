package smoothtest_test

import (
	"context"
	"fmt"
	"log"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// A live presentation grows when the test says so.
func ExamplePresentation() {
	c := smoothtest.Default()
	c.Live = true
	p := smoothtest.New(c)
	ctx := context.Background()
	before, err := p.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	p.Append(2)
	p.Trim(1)
	after, err := p.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(before.Manifest.Streams[0].Timeline.End(), after.Manifest.Streams[0].Timeline.End())
	fmt.Println(after.Manifest.Streams[0].Timeline.Start(), after.Ended)

	f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: "video", Bitrate: c.Streams[0].Levels[0].Bitrate, Time: 20000000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("lent:", p.OpenFragments())
	f.Close()
	fmt.Println("lent:", p.OpenFragments())
	// Output:
	// 300000000 340000000
	// 20000000 false
	// lent: 1
	// lent: 0
}

// The sample is what players can really show.
func ExampleSample() {
	source := smooth.FS(smoothtest.Sample(), nil)
	defer source.Close()
	err := source.List(context.Background(), func(info smooth.Info) bool {
		fmt.Println(info.Name)
		return true
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// sample.ism
}
