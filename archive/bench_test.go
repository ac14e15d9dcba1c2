package archive_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smoothkit/smoothkit/archive"
	"github.com/smoothkit/smoothkit/internal/fmp4"
	"github.com/smoothkit/smoothkit/smooth"
	"github.com/smoothkit/smoothkit/smooth/smoothtest"
)

// nowhere is a store that forgets everything at once but how long its files are.
type nowhere struct{}

func (nowhere) Open(_ context.Context, name string) (smooth.File, error) {
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (nowhere) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (nowhere) ReadDir(_ context.Context, name string) ([]fs.DirEntry, error) {
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (nowhere) Append(context.Context, string) (archive.Appender, error) { return new(length), nil }
func (nowhere) Replace(context.Context, string, []byte) error            { return nil }
func (nowhere) Remove(context.Context, string) error                     { return nil }

// length is a file of which nothing else is kept.
type length struct{ n int64 }

func (l *length) Write(b []byte) (int, error) {
	l.n += int64(len(b))
	return len(b), nil
}

func (l *length) Truncate(n int64) error {
	l.n = n
	return nil
}

func (l *length) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (l *length) Size() int64                       { return l.n }
func (l *length) Sync() error                       { return nil }
func (l *length) Close() error                      { return nil }

// BenchmarkAppend is what a fragment costs but for the disk, in the form that a publishing point gives it. The least that has to be
// done for all its bytes is the sum.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{32 << 10, 750 << 10} {
		b.Run(fmt.Sprintf("%dkB", size>>10), func(b *testing.B) {
			c := smoothtest.Config{MaxPayload: size, Streams: []smoothtest.Stream{
				{Type: smooth.Video, Durations: smoothtest.Repeat(1, 2*second), Levels: []smoothtest.Level{{Bitrate: 20_000_000}}},
			}}
			f := newFeed(b, "camera", c)
			model := f.until(2 * time.Second)[0]
			whole := make([]byte, model.Size())
			_, err := model.ReadAt(whole, 0)
			require.NoError(b, err)
			head, payload := whole[:len(whole)-int(model.PayloadSize())], whole[len(whole)-int(model.PayloadSize()):]
			a, err := archive.NewStore(b.Context(), nowhere{}, quiet())
			require.NoError(b, err)
			defer a.Close()
			r := f.begin(a)
			moof := make([]byte, 0, 2*len(head))
			b.SetBytes(int64(len(whole)))
			b.ReportAllocs()
			for n := uint64(0); b.Loop(); n++ {
				if moof, err = fmp4.Retime(moof[:0], head[:len(head)-8], n*2*second); err != nil {
					b.Fatal(err)
				}
				moof = append(moof, head[len(head)-8:]...)
				k := model.Key
				k.Time = n * 2 * second
				frag := smooth.NewFragment(smooth.FragmentInit{
					Key: k, Timescale: second, Duration: 2 * second, Codec: model.Codec, Early: true, Head: moof, Payload: payload,
				})
				if err := r.Append(b.Context(), "camera", frag); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
