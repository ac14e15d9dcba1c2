package hls_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log"
	"sync"

	"github.com/smoothkit/smoothkit/hls"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// segmentSample segments a small presentation into a sink.
func segmentSample(sink hls.Sink) (*hls.SegmenterResult, error) {
	ctx := context.Background()
	src := smooth.FS(smoothtest.Sample(), nil)
	defer src.Close()
	p, err := src.Open(ctx, "sample.ism")
	if err != nil {
		return nil, err
	}
	defer p.Close()
	g, err := hls.NewSegmenter(sink, nil)
	if err != nil {
		return nil, err
	}
	g.Add("sample", p)
	return g.Run(ctx)
}

// zipSink is a sink in a zip archive. Only one entry at a time can be written there, so files wait in memory.
type zipSink struct {
	mu sync.Mutex
	w  *zip.Writer
}

type zipFile struct {
	bytes.Buffer
	sink *zipSink
	name string
}

func (z *zipSink) Create(_ context.Context, name string) (hls.SinkFile, error) {
	return &zipFile{sink: z, name: name}, nil
}

func (f *zipFile) Commit() error {
	f.sink.mu.Lock()
	defer f.sink.mu.Unlock()
	w, err := f.sink.w.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store}) // media does not shrink
	if err == nil {
		_, err = w.Write(f.Bytes())
	}
	return err
}

func (f *zipFile) Abort() error { return nil }

// A zip archive as the output.
func ExampleSink_zip() {
	var archive bytes.Buffer
	z := &zipSink{w: zip.NewWriter(&archive)}
	res, err := segmentSample(z)
	if err == nil {
		err = z.w.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(r.File) == len(res.Files), r.File[len(r.File)-1].Name)
	// Output: true master.m3u8
}

// objects is an object store, which has whole objects only and can tell what it has.
type objects struct{ m sync.Map }

type object struct {
	bytes.Buffer
	store *objects
	key   string
}

func (o *objects) Create(_ context.Context, name string) (hls.SinkFile, error) {
	return &object{store: o, key: name}, nil
}
func (o *objects) ReadFile(_ context.Context, name string, _ int64) ([]byte, error) {
	if v, ok := o.m.Load(name); ok {
		return v.([]byte), nil
	}
	return nil, fs.ErrNotExist
}
func (o *objects) Stat(ctx context.Context, name string) (int64, error) {
	data, err := o.ReadFile(ctx, name, 0)
	return int64(len(data)), err
}
func (o *objects) Remove(_ context.Context, name string) error { o.m.Delete(name); return nil }

func (f *object) Commit() error { f.store.m.Store(f.key, f.Bytes()); return nil }
func (f *object) Abort() error  { return nil }

// An object store as the output. A second run finds all segments there.
func ExampleSegmenter() {
	store := new(objects)
	for range 2 {
		res, err := segmentSample(store)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Written, "made,", res.Kept, "there before")
	}
	// Output:
	// 36 made, 0 there before
	// 0 made, 36 there before
}
