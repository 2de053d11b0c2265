//go:build real

package realtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/bucket"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/parquet"
)

const (
	bucketKey    = "AKIDPLIMSOLL"
	bucketSecret = "s3cr3t-canary-of-the-bucket"
	focusSample  = "../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv"
)

// objectStore is a real S3 server over a directory, with one bucket.
type objectStore struct {
	t      *testing.T
	url    string
	client *minio.Client
	now    time.Time
}

func newObjectStore(t *testing.T) *objectStore {
	addr := address(t)
	s := start(t, "versitygw", addr, "/health", "--access", bucketKey, "--secret", bucketSecret, "--port", addr, "--health", "/health",
		"posix", "--sidecar", t.TempDir(), t.TempDir())
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(bucketKey, bucketSecret, "")})
	if err == nil {
		err = client.MakeBucket(t.Context(), "bills", minio.MakeBucketOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return &objectStore{t, s.url + "/bills", client, time.Date(2024, 9, 30, 12, 0, 0, 0, time.UTC)}
}

func (s *objectStore) put(key string, content []byte) {
	s.t.Helper()
	if _, err := s.client.PutObject(s.t.Context(), "bills", key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// options return the bucket with its keys in a file.
func (s *objectStore) options(secret string) intake.BucketOptions {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", bucketKey, secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return intake.BucketOptions{URL: s.url, CredentialsFile: file}
}

// intake returns an intake of bills below exports/.
func (s *objectStore) intake(secret string) *intake.Intake {
	s.t.Helper()
	at := s.options(secret)
	o := intake.Options{Buckets: bucket.Open, Sources: []intake.Source{{
		Name: "focus", Format: cost.FOCUS, Include: []string{"exports/*/*.csv*"},
		Bucket: &at,
	}}}
	if err := o.Check(); err != nil {
		s.t.Fatal(err)
	}
	i, err := intake.Open(o, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(i.Close)
	return i
}

func billed(i *intake.Intake, at time.Time) (total float64) {
	for _, f := range i.Read(at).Families {
		for _, p := range f.Points {
			if f.Name == "cost.accrued" && p.Attrs.Text(cost.MetricName) == "billed" {
				total += p.Value
			}
		}
	}
	return total
}

// TestBucket: bills in a real S3 server are what they are as files: the same costs, replaced by an upload, in Parquet too;
// and secrets are in no error.
func TestBucket(t *testing.T) {
	s := newObjectStore(t)
	text, err := os.ReadFile(focusSample)
	if err != nil {
		t.Fatal(err)
	}
	files, err := intake.Open(intake.Options{Settle: -1, Sources: []intake.Source{
		{Name: "focus", Format: cost.FOCUS, Include: []string{focusSample}},
	}}, s.now)
	if err == nil {
		err = files.Poll(t.Context(), s.now)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := billed(files, s.now)

	i := s.intake(bucketSecret)
	if err := i.Poll(t.Context(), s.now); err == nil || !strings.Contains(err.Error(), "no file is there") {
		t.Errorf("an empty bucket: %v", err)
	}
	// More than one page of a list, of which one is a bill.
	for n := range 1100 {
		s.put(fmt.Sprintf("exports/2024-09/%04d.json", n), []byte("{}"))
	}
	s.put("exports/2024-09/part-0.csv", text)
	s.put("other/part-0.csv", text)
	if err := i.Poll(t.Context(), s.now); err != nil {
		t.Fatal(err)
	}
	if got := billed(i, s.now); got != want || want == 0 {
		t.Errorf("billed %v from the bucket and %v from the file", got, want)
	}
	half := text[:bytes.LastIndexByte(text[:len(text)/2], '\n')+1]
	s.put("exports/2024-09/part-0.csv", half)
	if err := i.Poll(t.Context(), s.now); err != nil {
		t.Fatal(err)
	}
	if got := billed(i, s.now); got == want || got == 0 {
		t.Errorf("billed %v after the object was replaced by half of it, before %v", got, want)
	}
	s.put("exports/2024-09/empty.csv", nil)
	if err := i.Poll(t.Context(), s.now); err == nil || !strings.Contains(err.Error(), "empty.csv") {
		t.Errorf("an empty object: %v", err)
	}

	err = s.intake("another-canary").Poll(t.Context(), s.now)
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("wrong keys: %v", err)
	}
	t.Logf("wrong keys: %v", err)
}

// TestBucketReplaced: an object that is replaced while it is read is not read as a mixture of both.
func TestBucketReplaced(t *testing.T) {
	s := newObjectStore(t)
	row := strings.Repeat("x", 1000) + "\n"
	s.put("exports/1/a.csv", []byte(strings.Repeat(row, 40_000)))
	b, err := bucket.Open(s.options(bucketSecret))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all, err := b.List(t.Context(), "exports/", 10)
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v and the error %v", all, err)
	}
	s.put("exports/1/a.csv", []byte(strings.Repeat("y", 40_000_000)))
	o, err := b.Open(context.Background(), all[0])
	if err != nil {
		return // refused at once is right too
	}
	defer o.Close()
	p := make([]byte, 4)
	if n, err := o.Read(p); err == nil {
		t.Errorf("got %q of an object that was replaced", p[:n])
	}
	if n, err := o.ReadAt(p, 0); err == nil {
		t.Errorf("got %q of an object that was replaced", p[:n])
	}
}

// TestBucketParquet: a Parquet file is read with requests for its parts.
func TestBucketParquet(t *testing.T) {
	s := newObjectStore(t)
	const name = "../../exporters/cost/parquet/testdata/int32_decimal.parquet"
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s.put("exports/1/a.parquet", content)
	b, err := bucket.Open(s.options(bucketSecret))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all, err := b.List(t.Context(), "exports/", 10)
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v and the error %v", all, err)
	}
	o, err := b.Open(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	remote, err := parquet.Open(o, all[0].Size)
	if err != nil {
		t.Fatal(err)
	}
	local, err := parquet.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	var got, want bytes.Buffer
	_, err = got.ReadFrom(remote)
	_, err2 := want.ReadFrom(local)
	if err != nil || err2 != nil || got.String() != want.String() || want.Len() == 0 {
		t.Errorf("got %q and the error %v, want %q", got.String(), err, want.String())
	}
}
