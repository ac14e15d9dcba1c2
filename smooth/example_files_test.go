package smooth_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log"
	"time"

	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// store stands for an object store: objects by key, each with a version. A real one answers Stat, ReadDir and
// ReadAtContext with requests, the last one with a range.
type store map[string]object

type object struct {
	data    []byte
	version string
}

// Open implements smooth.Files.
func (s store) Open(_ context.Context, name string) (smooth.File, error) {
	o, ok := s[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return objectFile{name, o}, nil
}

// Stat implements smooth.Files.
func (s store) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	if o, ok := s[name]; ok {
		return objectInfo{objectFile{name, o}}, nil
	}
	if name == "." {
		return objectInfo{objectFile{name: name}}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements smooth.Files. The example has one directory only.
func (s store) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	var list []fs.DirEntry
	for key, o := range s {
		list = append(list, fs.FileInfoToDirEntry(objectInfo{objectFile{key, o}}))
	}
	return list, nil
}

type objectFile struct {
	name string
	object
}

// ReadAtContext implements smooth.File.
func (f objectFile) ReadAtContext(_ context.Context, p []byte, off int64) (int, error) {
	return bytes.NewReader(f.data).ReadAt(p, off)
}

func (f objectFile) Size() int64        { return int64(len(f.data)) }
func (f objectFile) ModTime() time.Time { return time.Time{} }
func (f objectFile) Version() string    { return f.version }
func (f objectFile) Close() error       { return nil }

type objectInfo struct{ objectFile }

func (i objectInfo) Name() string      { return i.name }
func (i objectInfo) Mode() fs.FileMode { return map[bool]fs.FileMode{true: fs.ModeDir}[i.name == "."] }
func (i objectInfo) IsDir() bool       { return i.Mode().IsDir() }
func (i objectInfo) Sys() any          { return nil }

// Presentations can lie in any store that reads ranges.
func ExampleNewFileSource() {
	bucket := store{}
	sample := smoothtest.Sample()
	names, err := fs.Glob(sample, "sample*")
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(sample, name)
		if err != nil {
			log.Fatal(err)
		}
		bucket[name] = object{data, "1"}
	}
	source := smooth.NewFileSource(bucket, nil)
	defer source.Close()
	ctx := context.Background()
	err = source.List(ctx, func(info smooth.Info) bool {
		fmt.Println(info.Name)
		return true
	})
	if err != nil {
		log.Fatal(err)
	}
	p, err := source.Open(ctx, "SAMPLE.ism") // any case
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	f, err := p.Fragment(ctx, smooth.FragmentKey{Stream: "video", Bitrate: 75000, Time: 20000000})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(f.Key.Time, f.Duration, f.Codec.Width, f.Codec.Height)
	// Output:
	// sample.ism
	// 20000000 20000000 426 240
}
