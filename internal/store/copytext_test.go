package store

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/store/pgtest"
)

// Until chatd read headers as text, a file took names of images in ISO-8859-1, which no Postgres can keep. A copy makes text
// of them and says of how many.
func TestCopyMendsText(t *testing.T) {
	t.Parallel()
	now := &atomic.Int64{}
	now.Store(1_700_000_000_000)
	from := install(t, "sqlite:"+filepath.Join(t.TempDir(), "first.db"), now)
	life := from.live()
	id := life.threads[0]
	a, err := from.db.Access(t.Context(), id, life.users[0])
	from.must(err)
	want := map[string]string{}
	for kept, mended := range map[string]string{"caf\xe9.png": "café.png", "a\x00b": "a\ufffdb", "café 日本語": "café 日本語"} {
		image := chat.Image{ID: mended, Name: kept, Type: "image/png", Owner: life.users[0], On: 1, Bytes: []byte("\xff\x00\xe9")}
		from.must(from.db.AddImage(t.Context(), a.Thread.Key, &image, 0))
		want[mended] = mended
	}
	for _, url := range []string{pgtest.Database(t, nil), "sqlite:" + filepath.Join(t.TempDir(), "second.db")} {
		mended := map[string]int64{}
		if err := Copy(t.Context(), from.url, url, func(c Copied) {
			if c.Mended > 0 {
				mended[c.Table] = c.Mended
			}
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int64{"images": 2}, mended); diff != "" {
			t.Errorf("%.8s: mended (-want +got):\n%s", url, diff)
		}
		to := install(t, url, now)
		got := map[string]string{}
		for id := range want {
			image, err := to.db.Image(t.Context(), a.Thread.Key, id)
			to.must(err)
			got[id] = image.Name
			if string(image.Bytes) != "\xff\x00\xe9" {
				t.Errorf("%.8s: bytes of the image are %q", url, image.Bytes)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.8s: names (-want +got):\n%s", url, diff)
		}
	}
}
