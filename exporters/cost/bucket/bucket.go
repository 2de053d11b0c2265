// Package bucket reads objects of object stores with the API of S3, for exporters/cost/intake. It is the only package
// that imports minio-go.
package bucket

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
)

const (
	dialTimeout   = 10 * time.Second
	answerTimeout = time.Minute // until the answer begins
	tries         = 3
)

// Open returns a bucket. Nothing is asked of it yet. Redirections are not followed.
func Open(o intake.BucketOptions) (intake.Bucket, error) {
	endpoint, name, err := o.Split()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: answerTimeout, MaxIdleConnsPerHost: 2,
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Secure: endpoint.Scheme == "https", Region: o.Region, Creds: credentialsOf(o), MaxRetries: tries, Transport: transport,
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %q: %w", name, err)
	}
	return &bucket{client, transport, name}, nil
}

// credentialsOf returns what requests are signed with.
func credentialsOf(o intake.BucketOptions) *credentials.Credentials {
	if o.CredentialsFile != "" {
		return credentials.NewFileAWSCredentials(o.CredentialsFile, "")
	}
	return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{
		Client: &http.Client{Timeout: dialTimeout},
	}})
}

type bucket struct {
	client    *minio.Client
	transport *http.Transport
	name      string
}

// Close implements intake.Bucket.
func (b *bucket) Close() { b.transport.CloseIdleConnections() }

// List implements intake.Bucket.
func (b *bucket) List(ctx context.Context, prefix string, limit int) ([]intake.Object, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // ends the listing when there is more than the limit
	var out []intake.Object
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list bucket %q: %w", b.name, o.Err)
		}
		out = append(out, intake.Object{Key: o.Key, ETag: o.ETag, Size: o.Size, Modified: o.LastModified})
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// Open implements intake.Bucket.
func (b *bucket) Open(ctx context.Context, o intake.Object) (intake.Content, error) {
	var options minio.GetObjectOptions
	if err := options.SetMatchETag(o.ETag); err != nil {
		return nil, fmt.Errorf("open %q of bucket %q: %w", o.Key, b.name, err)
	}
	object, err := b.client.GetObject(ctx, b.name, o.Key, options)
	if err != nil {
		return nil, fmt.Errorf("open %q of bucket %q: %w", o.Key, b.name, err)
	}
	return content{object, o.Size}, nil
}

// content is an object of which the size is known: to ask for what is behind it is an error to some stores.
type content struct {
	*minio.Object
	size int64
}

// ReadAt implements io.ReaderAt.
func (c content) ReadAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), c.size-off)]
	n, err := c.Object.ReadAt(want, off)
	if n == len(want) && (err == nil || err == io.EOF) {
		err = nil
		if len(want) < len(p) {
			err = io.EOF
		}
	}
	return n, err
}
