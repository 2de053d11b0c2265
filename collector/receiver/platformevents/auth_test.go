package platformevents_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	api "github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
)

const (
	token    = "t0k3n-canary-in-use"
	newToken = "t0k3n-canary-of-tomorrow"
)

// hooks changes the one source of a configuration.
func hooks(source platformevents.SourceConfig) func(*platformevents.Config) {
	source.Kind = "github"
	return func(cfg *platformevents.Config) {
		cfg.Sources = map[string]platformevents.SourceConfig{"hooks": source}
	}
}

// bearer sends a delivery without a signature.
func (s *server) bearer(authorization string) int {
	s.t.Helper()
	return s.post("/hooks", payload(s.t, "completed"), map[string]string{"Authorization": authorization})
}

// verdicts returns what was rejected, by verdict, after the next interval.
func (s *server) verdicts() map[string]int64 {
	s.t.Helper()
	s.shutdown() // which passes everything on
	all := map[string]int64{}
	for key, n := range s.next.last() {
		if verdict, ok := strings.CutPrefix(key, "platform.events.received "); ok {
			all[verdict] = n
		}
	}
	return all
}

// silent checks that no secret is in what was logged.
func (s *server) silent() {
	s.t.Helper()
	for _, entry := range s.logs.All() {
		text := fmt.Sprint(entry.Message, entry.ContextMap())
		for _, hidden := range []string{token, newToken, secret} {
			if strings.Contains(text, hidden) {
				s.t.Errorf("the log shows %q: %s", hidden, text)
			}
		}
	}
}

func TestBearerToken(t *testing.T) {
	s := startWith(t, hooks(platformevents.SourceConfig{BearerToken: token}))
	f := func(authorization string, want int) {
		t.Helper()
		if got := s.bearer(authorization); got != want {
			t.Errorf("%q: status %d, want %d", authorization, got, want)
		}
	}
	f("Bearer "+token, http.StatusAccepted)
	f("bearer  "+token, http.StatusAccepted)
	for _, wrong := range []string{"", "Bearer", "Bearer ", token, "Basic " + token, "Bearer " + token + "x", "Bearer " + token[1:]} {
		f(wrong, http.StatusUnauthorized)
	}
	if got := s.signed(payload(t, "completed")); got != http.StatusUnauthorized {
		t.Errorf("a signature in place of the token: status %d, want 401", got)
	}
	if got := s.verdicts(); got["unauthentic"] != 8 || got["counted"] != 1 {
		t.Errorf("got %v, want 8 unauthentic and 1 counted", got)
	}
	s.silent()
}

func TestBearerTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(token + "\n")
	s := startWith(t, hooks(platformevents.SourceConfig{BearerTokenFile: path}))
	f := func(what string, old, fresh int) {
		t.Helper()
		if gotOld, gotFresh := s.bearer("Bearer "+token), s.bearer("Bearer "+newToken); gotOld != old || gotFresh != fresh {
			t.Errorf("%s: status %d and %d, want %d and %d", what, gotOld, gotFresh, old, fresh)
		}
	}
	f("at first", http.StatusAccepted, http.StatusUnauthorized)
	write(newToken)
	f("replaced", http.StatusUnauthorized, http.StatusAccepted)
	write("short")
	f("too short", http.StatusUnauthorized, http.StatusAccepted)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f("gone", http.StatusUnauthorized, http.StatusAccepted)
	if n := s.logs.FilterMessageSnippet("the last one counts on").Len(); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	write(token)
	f("back", http.StatusAccepted, http.StatusUnauthorized)
	s.silent()

	cfg := config(t, platformevents.NewFactory(func() time.Time { return received }))
	hooks(platformevents.SourceConfig{BearerTokenFile: path + ".none"})(cfg)
	factory := platformevents.NewFactory(func() time.Time { return received })
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err == nil || !strings.Contains(err.Error(), "hooks") {
		t.Errorf("without the file it starts: %v", err)
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// authority signs certificates.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t, certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.certificate.Raw = a.sign(a.certificate, a.key)
	return a
}

func (a authority) sign(certificate *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, certificate, a.certificate, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

// issue returns a certificate and its key.
func (a authority) issue(certificate x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	certificate.SerialNumber = big.NewInt(2)
	certificate.NotBefore, certificate.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	return tls.Certificate{Certificate: [][]byte{a.sign(&certificate, key)}, PrivateKey: key}
}

// write stores a certificate and its key in PEM and returns their files.
func write(t *testing.T, c tls.Certificate) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// TestClientCertificate: one listener for senders that sign and senders that show a certificate.
func TestClientCertificate(t *testing.T) {
	for _, reload := range []bool{false, true} {
		ours, theirs := newAuthority(t), newAuthority(t)
		ca, _ := write(t, tls.Certificate{Certificate: [][]byte{ours.certificate.Raw}, PrivateKey: ours.key})
		server := configtls.ServerConfig{ClientCAFile: ca, ReloadClientCAFile: reload}
		server.CertFile, server.KeyFile = write(t, ours.issue(x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}))
		s := startWith(t, func(cfg *platformevents.Config) {
			cfg.TLS = configoptional.Some(server)
			cfg.Sources["audit"] = platformevents.SourceConfig{
				Kind: "github", ClientCertificate: &platformevents.ClientCertificateConfig{Names: []string{"apiserver", "spiffe://x/audit"}},
			}
		})
		s.url = strings.Replace(s.url, "http:", "https:", 1)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.certificate.Raw}))
		f := func(what string, want int, certificates ...tls.Certificate) {
			t.Helper()
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
			defer transport.CloseIdleConnections()
			s.client = &http.Client{Transport: transport}
			if got := s.post("/audit", payload(t, "completed"), nil); got != want {
				t.Errorf("%s: status %d, want %d", what, got, want)
			}
			if got := s.signed(payload(t, "completed")); got != http.StatusAccepted {
				t.Errorf("%s: signed: status %d, want 202", what, got)
			}
		}
		client := x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		f("none", http.StatusUnauthorized)
		client.Subject.CommonName = "somebody"
		f("another name", http.StatusUnauthorized, ours.issue(client))
		client.DNSNames = []string{"apiserver"}
		f("DNS name", http.StatusAccepted, ours.issue(client))
		client.DNSNames, client.URIs = nil, []*url.URL{{Scheme: "spiffe", Host: "x", Path: "/audit"}}
		f("URI", http.StatusAccepted, ours.issue(client))
		client.URIs, client.Subject.CommonName = nil, "apiserver"
		f("common name", http.StatusAccepted, ours.issue(client))

		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			forged := theirs.issue(client)
			return &forged, nil
		}}}
		resp, err := (&http.Client{Transport: transport}).Post(s.url+"/audit", "", nil)
		if err == nil {
			resp.Body.Close()
			t.Errorf("another authority: status %d, want no connection", resp.StatusCode)
		}
		transport.CloseIdleConnections()
	}
}

func TestRateLimit(t *testing.T) {
	s := startWith(t, hooks(platformevents.SourceConfig{
		Secrets: []configopaque.String{secret}, RateLimit: platformevents.RateLimitConfig{PerSecond: 0.5, Burst: 2},
	}))
	f := func(seconds int64, want ...int) {
		t.Helper()
		s.clock.Store(seconds)
		for i, want := range want {
			if got := s.post("/hooks", nil, nil); got != http.StatusUnauthorized {
				t.Errorf("not signed: status %d, want 401", got)
			}
			if got := s.signed(payload(t, "completed")); got != want {
				t.Errorf("after %d s, delivery %d: status %d, want %d", seconds, i, got, want)
			}
		}
	}
	f(0, http.StatusAccepted, http.StatusAccepted, http.StatusTooManyRequests)
	f(1, http.StatusTooManyRequests)
	f(2, http.StatusAccepted, http.StatusTooManyRequests)
	if got := s.verdicts(); got["limited"] != 3 || got["unauthentic"] != 6 {
		t.Errorf("got %v, want 3 limited and 6 unauthentic", got)
	}
}

func TestMaxBodySize(t *testing.T) {
	body := payload(t, "completed")
	s := startWith(t, hooks(platformevents.SourceConfig{Secrets: []configopaque.String{secret}, MaxBodySize: int64(len(body))}))
	if got := s.signed(body); got != http.StatusAccepted {
		t.Errorf("as large as allowed: status %d, want 202", got)
	}
	if got := s.signed(append(body, ' ')); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a byte too large: status %d, want 413", got)
	}
}

func TestMaxConcurrent(t *testing.T) {
	s := startWith(t, hooks(platformevents.SourceConfig{Secrets: []configopaque.String{secret}, MaxConcurrent: 1}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// 100-continue comes when the handler reads, so then the delivery is in hand.
	fmt.Fprintf(conn, "POST /hooks HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	if _, err := conn.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if got := s.signed(payload(t, "completed")); got != http.StatusTooManyRequests {
		t.Errorf("a second one: status %d, want 429", got)
	}
	fmt.Fprint(conn, "0123456789")
	if _, err := conn.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if got := s.signed(payload(t, "completed")); got != http.StatusAccepted {
		t.Errorf("after it: status %d, want 202", got)
	}
	if got := s.verdicts(); got["busy"] != 1 || got["unauthentic"] != 1 {
		t.Errorf("got %v, want 1 busy and 1 unauthentic", got)
	}
}

// TestEachErrorOnce: the collector asks each part of a configuration what is wrong with it, those inside others too.
func TestEachErrorOnce(t *testing.T) {
	cfg := config(t, platformevents.NewFactory(func() time.Time { return received }))
	source := platformevents.SourceConfig{Kind: "access_log", InsecureNoAuth: true}
	source.AccessLog = &api.AccessLogOptions{DurationUnit: "hours"}
	cfg.Sources = map[string]platformevents.SourceConfig{
		"log": source, "own": {Kind: "json", InsecureNoAuth: true, Mapping: &sources.Mapping{Source: "own", Fact: "dream"}},
	}
	cfg.Interval = 0
	err := confmap.Validate(cfg)
	if err == nil {
		t.Fatal("want errors, have none")
	}
	for _, want := range []string{"interval: want", "duration_unit: want", "fact \"dream\": want"} {
		if got := strings.Count(err.Error(), want); got != 1 {
			t.Errorf("%s is said %d times, want once:\n%v", want, got, err)
		}
	}
}

// TestValidate: what would be reachable from outside without protection needs to be asked for.
func TestValidate(t *testing.T) {
	signed := platformevents.SourceConfig{Secrets: []configopaque.String{secret}}
	f := func(what, endpoint string, plaintext bool, source platformevents.SourceConfig, want string) {
		t.Helper()
		cfg := config(t, platformevents.NewFactory(func() time.Time { return received }))
		hooks(source)(cfg)
		cfg.NetAddr.Endpoint, cfg.InsecurePlaintext = endpoint, plaintext
		err := cfg.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got error %v, want %q", what, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes a secret: %v", what, err)
		}
	}
	f("loopback", "127.0.0.1:1", false, signed, "")
	f("loopback", "[::1]:1", false, signed, "")
	f("loopback", "localhost:1", false, signed, "")
	f("everywhere", ":1", false, signed, "tls: want a certificate")
	f("everywhere", "0.0.0.0:1", false, signed, "tls: want a certificate")
	f("a name", "example.org:1", false, signed, "tls: want a certificate")
	f("asked for", "0.0.0.0:1", true, signed, "")
	f("nothing", "127.0.0.1:1", false, platformevents.SourceConfig{}, "have none")
	f("asked for", "127.0.0.1:1", false, platformevents.SourceConfig{InsecureNoAuth: true}, "")
	f("two", "127.0.0.1:1", false, platformevents.SourceConfig{BearerToken: token, BearerTokenFile: "x"}, "have bearer_token and bearer_token_file")
	f("short", "127.0.0.1:1", false, platformevents.SourceConfig{BearerToken: "hunter2"}, "bearer_token: want at least 16 bytes, have 7")
	f("short", "127.0.0.1:1", false, platformevents.SourceConfig{Secrets: []configopaque.String{"hunter2"}}, "want at least 16 bytes, have 7 in number 1")
	nobody := &platformevents.ClientCertificateConfig{}
	f("nobody", "127.0.0.1:1", false, platformevents.SourceConfig{ClientCertificate: nobody}, "client_certificate::names: want at least one")
	f("no authority", "127.0.0.1:1", false, platformevents.SourceConfig{ClientCertificate: nobody}, "want tls::client_ca_file")
	f("below 0", "127.0.0.1:1", false, platformevents.SourceConfig{BearerToken: token, MaxConcurrent: -1}, "want nothing below 0")
}

// TestNoAuth: who asks for it takes deliveries of anybody.
func TestNoAuth(t *testing.T) {
	s := startWith(t, hooks(platformevents.SourceConfig{InsecureNoAuth: true}))
	if got := s.post("/hooks", payload(t, "completed"), nil); got != http.StatusAccepted {
		t.Errorf("status %d, want 202", got)
	}
	s.post("/hooks", payload(t, "push"), map[string]string{"X-GitHub-Event": "push"})
	if got := s.verdicts(); got["unused"] != 1 {
		t.Errorf("got %v, want 1 unused", got)
	}
}
