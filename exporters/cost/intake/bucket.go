package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// BucketOptions say where a bucket is, in an object store with the API of S3.
type BucketOptions struct {
	// URL is the endpoint with the bucket as its path: "https://s3.eu-central-1.amazonaws.com/bills".
	URL string
	// Region of the bucket. Empty: the one that the endpoint says.
	Region string
	// CredentialsFile is in the format of AWS' shared credentials and is read for each look. Empty: the environment
	// variables of AWS, then what the machine or the pod is allowed to.
	CredentialsFile string
}

// Bucket is a bucket of an object store, for one look at it.
type Bucket interface {
	// List returns the objects whose keys begin with prefix, at most limit and in any order.
	List(ctx context.Context, prefix string, limit int) ([]Object, error)
	// Open returns an object as it was listed. What it returns fails when there is another object of that key by now.
	Open(ctx context.Context, o Object) (Content, error)
	// Close ends connections that are kept.
	Close()
}

// Content is an open object, or an open file.
type Content interface {
	io.ReadCloser
	io.ReaderAt
}

// Object is what a list says of an object.
type Object struct {
	Key      string
	ETag     string // another one for another content
	Size     int64
	Modified time.Time
}

// maxObjects is how many objects a pattern may have to be matched against.
const maxObjects = 100_000

var errNoBuckets = errors.New("this build reads no buckets: run the collector of the gateway")

// Split returns the endpoint and the name of the bucket, or what is wrong with the URL.
func (o BucketOptions) Split() (endpoint *url.URL, name string, err error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", errors.New("bucket_url: want http or https, a host, a bucket, no user and no query")
	}
	name = strings.Trim(u.Path, "/")
	if name == "" || strings.Contains(name, "/") {
		return nil, "", errors.New("bucket_url: want the bucket and nothing more behind the host; directories belong into include")
	}
	u.Path, u.RawPath = "", ""
	return u, name, nil
}

// prefix returns what all keys begin with that a pattern matches.
func prefix(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// lookInto reads the objects of a source that are new or changed.
func (r *round) lookInto(o BucketOptions) {
	bucket, err := r.options.Buckets(o)
	if err != nil {
		r.failed(err)
		return
	}
	defer bucket.Close()
	r.take(r.objects(bucket))
}

// objects returns the objects of a source, sorted. They are whole as soon as they are there.
func (r *round) objects(bucket Bucket) []found {
	there := map[string]Object{}
	for _, pattern := range r.source.Include {
		all, err := bucket.List(r.ctx, prefix(pattern), maxObjects+1)
		if err == nil && len(all) > maxObjects {
			err = fmt.Errorf("there are more than %d objects with keys like %q", maxObjects, prefix(pattern)+"...")
		}
		if err != nil {
			r.failed(fmt.Errorf("pattern %q: %w", pattern, err))
			continue
		}
		for _, o := range all {
			if match, _ := path.Match(pattern, o.Key); match { // the pattern is checked
				there[o.Key] = o
			}
		}
	}
	var out []found
	for _, o := range there {
		s := stat{o.Size, o.Modified.UnixNano(), o.ETag}
		out = append(out, found{
			path: strings.TrimSuffix(r.source.Bucket.URL, "/") + "/" + o.Key, stat: s,
			open: func() (Content, error) { return bucket.Open(r.ctx, o) },
			now:  func() (stat, error) { return s, nil }, // another one would have failed to be read
		})
	}
	slices.SortFunc(out, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return out
}
