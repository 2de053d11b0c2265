package poll

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// client sends requests to one store.
type client struct {
	cfg  Config
	base *url.URL
	http *http.Client // nil until the first round
}

// maxAnswer bounds one answer.
const maxAnswer = 16 << 20

func newClient(cfg Config) (*client, error) {
	base, err := url.Parse(strings.TrimSuffix(cfg.BaseURL, "/"))
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("want a base URL of scheme, host and path alone")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !source.Loopback(base.Hostname())) {
		return nil, fmt.Errorf("want https for %q, have %q", base.Host, base.Scheme)
	}
	return &client{cfg: cfg, base: base}, nil
}

// connect makes what sends requests. A redirection is refused: the token would go with it to wherever it points.
func (c *client) connect() error {
	if c.http != nil {
		return nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.cfg.CAFile != "" {
		pem, err := os.ReadFile(c.cfg.CAFile)
		if err != nil {
			return fmt.Errorf("read certificates: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("want certificates in %q, have none", c.cfg.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	c.http = &http.Client{
		Timeout: c.cfg.Timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// token reads the token.
func (c *client) token() (string, []error) {
	b, err := os.ReadFile(c.cfg.TokenFile)
	if err != nil {
		return "", []error{fmt.Errorf("read token: %w", err)}
	}
	token := strings.TrimSpace(string(b))
	if token == "" || len(token) > 16<<10 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", []error{fmt.Errorf("want one token in %q, have something else", c.cfg.TokenFile)}
	}
	return token, nil
}

// errNone is the answer that there is nothing at an address.
var errNone = errors.New("nothing there")

// ask sends a request and reads what into of the answer. The error says what was asked for in the caller's words: an
// address may have the name of a secret in it.
func (r *round) ask(method, path, what string, header http.Header, into any) error {
	if err := r.client.connect(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(r.ctx, method, r.client.base.String()+path, nil)
	if err != nil {
		return fmt.Errorf("%s: no address", what)
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", "plimsoll")
	res, err := r.client.http.Do(req)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err // which does not name the address
		}
		return fmt.Errorf("%s at %s: %w", what, r.client.base.Host, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return errNone
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("%s at %s: redirected, want the address of what answers itself", what, r.client.base.Host)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("%s at %s: want status 200, have %d", what, r.client.base.Host, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%s at %s: %w", what, r.client.base.Host, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("%s at %s: want at most %d bytes, have more", what, r.client.base.Host, maxAnswer)
	}
	if _, err := source.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s at %s: not the JSON it should be", what, r.client.base.Host)
	}
	return nil
}

// escape makes one path of the segments of a name.
func escape(name string) string {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
