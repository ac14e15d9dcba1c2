package repair_test

import (
	"context"
	"fmt"
	"log"

	"github.com/smoothkit/smoothkit/archive/internal/lossy"
	"github.com/smoothkit/smoothkit/archive/repair"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// An event whose server has crashed: media without an index, empty manifests.
func Example() {
	ctx := context.Background()
	store := lossy.New() // archive.Dir("archives") in real life
	encoder := smoothtest.NewEncoder(smoothtest.Default())
	media := append(encoder.Header(), encoder.Until(secondsOf(20))...)
	for name, data := range map[string][]byte{"event/camera.ismv": media, "event/event.ism": nil, "event/event.ismc": nil} {
		if err := store.Replace(ctx, name, data); err != nil {
			log.Fatal(err)
		}
	}
	report, err := repair.Repair(ctx, store, ".", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, asset := range report.Assets {
		fmt.Println(asset.Name, "plays:", asset.Plays)
		for _, f := range asset.Findings {
			fmt.Println(f.Code)
		}
	}
	// Output:
	// event/event.ism plays: true
	// mfra-missing
	// ism-empty
	// ismc-empty
}
