package platformevents

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// guard tells whether a delivery is from whom it should be. What it needs is looked at as early as possible: a bearer
// token or a certificate before the body is read. nil lets everything pass.
type guard struct {
	request func(*http.Request) bool
	body    func(header http.Header, body []byte) bool
}

// newGuard makes the guard of a source. It fails if the source's token file can not be read.
func newGuard(from SourceConfig, kind source.Kind, now func() time.Time, log *zap.Logger) (guard, error) {
	switch {
	case len(from.Secrets) > 0:
		secrets := make([]string, len(from.Secrets))
		for i, secret := range from.Secrets {
			secrets[i] = string(secret)
		}
		return guard{body: func(header http.Header, body []byte) bool { return kind.Signature(secrets, header, body, now()) }}, nil
	case from.BearerToken != "":
		return guard{request: func(req *http.Request) bool { return bears(req, string(from.BearerToken)) }}, nil
	case from.BearerTokenFile != "":
		file := &tokenFile{path: from.BearerTokenFile, log: log}
		if err := file.read(); err != nil {
			return guard{}, err
		}
		return guard{request: func(req *http.Request) bool { return bears(req, file.current()) }}, nil
	case from.ClientCertificate != nil:
		names := from.ClientCertificate.Names
		return guard{request: func(req *http.Request) bool { return shows(req, names) }}, nil
	}
	return guard{}, nil
}

// bears tells whether a request has the token.
func bears(req *http.Request, token string) bool {
	return source.Bearer([]string{token}, req.Header, nil, time.Time{})
}

// shows tells whether a request came with a certificate that the listener has verified and that has one of the names.
func shows(req *http.Request, names []string) bool {
	if req.TLS == nil || len(req.TLS.VerifiedChains) == 0 {
		return false
	}
	leaf := req.TLS.VerifiedChains[0][0]
	if slices.Contains(names, leaf.Subject.CommonName) {
		return true
	}
	for _, uri := range leaf.URIs {
		if slices.Contains(names, uri.String()) {
			return true
		}
	}
	return slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return slices.Contains(names, name) })
}

// tokenFile is a bearer token that somebody may replace at any time.
type tokenFile struct {
	path string
	log  *zap.Logger

	mu     sync.Mutex
	token  string
	failed bool
}

// current returns the token in the file. A file that can not be read, as for a moment while it is
// replaced, is logged once and leaves the token as it was.
func (f *tokenFile) current() string {
	err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && !f.failed {
		f.log.Error("the bearer token is not readable, the last one counts on", zap.Error(err))
	}
	f.failed = err != nil
	return f.token
}

// read takes over the token in the file. The error names the file and not what is in it.
func (f *tokenFile) read() error {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("read bearer token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if len(token) < MinSecret {
		return fmt.Errorf("read bearer token %s: want at least %d bytes, have %d", f.path, MinSecret, len(token))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.token = token
	return nil
}
