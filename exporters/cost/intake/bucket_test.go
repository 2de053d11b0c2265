package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
)

// shelf is a bucket in memory; internal/realtest has a real one.
type shelf struct {
	objects map[string]string
	tags    map[string]int
	fail    error            // of each list
	between func(key string) // called when an object was opened and is not read yet
	lists   int
	open    int // buckets
}

func (s *shelf) put(key, content string) {
	s.objects[key] = content
	s.tags[key]++
}

func (s *shelf) Close() { s.open-- }

func (s *shelf) List(_ context.Context, prefix string, limit int) ([]intake.Object, error) {
	s.lists++
	var out []intake.Object
	for key, content := range s.objects {
		if strings.HasPrefix(key, prefix) && len(out) < limit {
			out = append(out, intake.Object{Key: key, ETag: fmt.Sprint(s.tags[key]), Size: int64(len(content)), Modified: now})
		}
	}
	return out, s.fail
}

func (s *shelf) Open(_ context.Context, o intake.Object) (intake.Content, error) {
	if s.between != nil {
		s.between(o.Key)
	}
	return &shelved{bytes.NewReader([]byte(s.objects[o.Key])), s, o}, nil
}

// shelved is an object that fails when it was replaced.
type shelved struct {
	*bytes.Reader
	shelf *shelf
	as    intake.Object
}

func (c *shelved) Read(p []byte) (int, error) {
	if fmt.Sprint(c.shelf.tags[c.as.Key]) != c.as.ETag {
		return 0, errors.New("precondition failed")
	}
	return c.Reader.Read(p)
}

func (c *shelved) Close() error { return nil }

var _ io.ReaderAt = (*shelved)(nil)

const (
	bill     = "../testdata/azure/actual.ea.csv"
	bucketAt = "https://store.example.com/bills"
)

func newShelf(t *testing.T, include ...string) (*shelf, intake.Options, string) {
	t.Helper()
	text, err := os.ReadFile(bill)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{objects: map[string]string{}, tags: map[string]int{}}
	return s, intake.Options{
		Sources: []intake.Source{{Name: "a", Format: cost.AzureActual, Include: include, Bucket: &intake.BucketOptions{URL: bucketAt}}},
		Buckets: func(intake.BucketOptions) (intake.Bucket, error) {
			s.open++
			return s, nil
		},
	}, string(text)
}

// accrued returns all that was billed.
func accrued(i *intake.Intake) float64 {
	total, _ := sum(i.Read(now), "cost.accrued", cost.MetricName, "billed")
	return total
}

// TestBucket: objects are what files are: new and changed ones are read, what is gone counts on, and one that changes
// while it is read counts as before.
func TestBucket(t *testing.T) {
	s, options, text := newShelf(t, "exports/*/part-*.csv", "exports/2024/part-1.csv")
	if err := options.Check(); err != nil {
		t.Fatal(err)
	}
	i, err := intake.Open(options, now)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	poll := func(want string) {
		t.Helper()
		err := i.Poll(t.Context(), now)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if s.open != 0 {
			t.Errorf("%d buckets are open", s.open)
		}
	}
	s.put("exports/2024/manifest.json", "{}")
	s.put("other/2024/part-1.csv", text)
	poll("no file is there")

	s.put("exports/2024/part-1.csv", text)
	poll("")
	first := accrued(i)
	if first == 0 {
		t.Fatal("nothing was billed")
	}
	// The same content under another key is the same bill; another content replaces the one before.
	s.put("exports/2025/part-1.csv", text)
	poll("")
	if got := accrued(i); got != first {
		t.Errorf("billed %v with a copy of the bill, want %v", got, first)
	}
	head, _, _ := strings.Cut(text, "\n")
	s.put("exports/2025/part-1.csv", head+"\n")
	s.between = func(key string) {
		if key == "exports/2024/part-1.csv" {
			s.put(key, head+"\n")
		}
	}
	s.put("exports/2024/part-1.csv", text+" ")
	poll("precondition failed")
	if got := accrued(i); got != first {
		t.Errorf("billed %v after an object changed while it was read, want %v", got, first)
	}
	s.between = nil
	delete(s.objects, "exports/2024/part-1.csv")
	poll("")
	if got := accrued(i); got != first {
		t.Errorf("billed %v after an object was moved away, want %v", got, first)
	}
	s.fail = errors.New("store is away")
	poll("store is away")
	if got := accrued(i); got != first {
		t.Errorf("billed %v while the store is away, want %v", got, first)
	}
}

// TestBucketInterval: a list costs money, so a bucket is looked at as often as is said.
func TestBucketInterval(t *testing.T) {
	s, options, text := newShelf(t, "*.csv")
	options.Sources[0].Every = 15 * time.Minute
	s.put("a.csv", text)
	i, err := intake.Open(options, now)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for d := range 16 * time.Duration(1) {
		if err := i.Poll(t.Context(), now.Add(d*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if s.lists != 2 {
		t.Errorf("listed %d times in 15 minutes, want 2", s.lists)
	}
}

// TestBucketLimits: a prefix with a great many objects is an error, and no memory.
func TestBucketLimits(t *testing.T) {
	s, options, _ := newShelf(t, "many/*.csv")
	for n := range 100_001 {
		s.objects[fmt.Sprintf("many/%d", n)] = "x"
	}
	i, err := intake.Open(options, now)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Poll(t.Context(), now); err == nil || !strings.Contains(err.Error(), "more than 100000 objects") {
		t.Errorf("error %v", err)
	}
}

// TestBucketOptions: what is wrong with a bucket is said.
func TestBucketOptions(t *testing.T) {
	for url, want := range map[string]string{
		"https://store.example.com/bills":         "",
		"http://minio:9000/bills/":                "",
		"https://store.example.com":               "bucket_url",
		"https://store.example.com/bills/exports": "include",
		"https://user:pw@store.example.com/bills": "bucket_url",
		"s3://bills":                                "bucket_url",
		"https://store.example.com/bills?x=1":       "bucket_url",
		"https://store.example.com/bills#secret-it": "bucket_url",
	} {
		_, options, _ := newShelf(t, "*.csv")
		options.Sources[0].Bucket.URL = url
		err := options.Check()
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw")) {
			t.Errorf("%s: error %v, want %q", url, err, want)
		}
	}
	_, options, _ := newShelf(t, "*.csv")
	options.Buckets = nil
	if _, err := intake.Open(options, now); err == nil || !strings.Contains(err.Error(), "gateway") {
		t.Errorf("a build without buckets: error %v", err)
	}
	options.Sources[0].API = &intake.API{BaseURL: "http://opencost:9003"}
	options.Sources[0].Include = nil
	options.Sources[0].Format = cost.OpenCostAllocation
	if err := options.Check(); err == nil || !strings.Contains(err.Error(), "not both") {
		t.Errorf("a bucket and an API: error %v", err)
	}
}
