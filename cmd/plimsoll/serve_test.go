package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/server"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// serving starts serve on an example and returns its address. It ends, in an orderly way, with the test.
func serving(t *testing.T, f serveFlags) string {
	t.Helper()
	f.listen = "127.0.0.1:0"
	f.connections, f.perAddress = cmp.Or(f.connections, 50), cmp.Or(f.perAddress, 50)
	f.headerWithin, f.requestWithin = cmp.Or(f.headerWithin, 10*time.Second), cmp.Or(f.requestWithin, time.Minute)
	f.server.Specs = []string{"../../examples/quickstart"}
	if f.server.Data == "" {
		f.server.Data, f.server.Now = t.TempDir(), time.Now
	}
	f.server.Registry = prometheus.NewRegistry()
	if err := f.secure(); err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(t.Context(), f.server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.run(ctx, s, l, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// status asks for a path and returns the status, or 0 if there is no answer.
func status(t *testing.T, c *http.Client, url string, auth func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if auth != nil {
		auth(req)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func put(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestServeTokens: a token opens every door, as a bearer token or as a password; without one only the health is told.
func TestServeTokens(t *testing.T) {
	const secret = "0123456789abcdef0"
	f := serveFlags{tokens: put(t, "tokens", []byte("# who\ngrafana:"+secret+"\n"))}
	f.server.Web.Profiling = true
	url := "http://" + serving(t, f)
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	basic := func(r *http.Request) { r.SetBasicAuth("anybody", secret) }
	for _, path := range []string{"/", "/metrics", "/api/v1/status/buildinfo", "/plimsoll/v1/slos", "/debug/pprof/cmdline", "/api/v1/write"} {
		for name, c := range map[string]struct {
			auth func(*http.Request)
			open bool
		}{"none": {nil, false}, "wrong": {bearer(secret + "x"), false}, "empty": {bearer(""), false}, "bearer": {bearer(secret), true}, "basic": {basic, true}} {
			if got := status(t, http.DefaultClient, url+path, c.auth); (got == http.StatusUnauthorized) == c.open {
				t.Errorf("%s with token %s: got status %d", path, name, got)
			}
		}
	}
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if got := status(t, http.DefaultClient, url+path, nil); got == http.StatusUnauthorized {
			t.Errorf("%s: got status %d", path, got)
		}
	}
}

// certificate makes a key and a certificate signed by parent, or by itself, and returns both in PEM.
func certificate(t *testing.T, name string, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: parent == nil,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

// TestServeCertificates: with client certificates asked for, nobody without one gets in, not even to a public address
// check: such a server may listen anywhere.
func TestServeCertificates(t *testing.T) {
	ca, caKey, caPEM, _ := certificate(t, "ca", nil, nil)
	_, _, serverCert, serverKey := certificate(t, "server", ca, caKey)
	_, _, clientCert, clientKey := certificate(t, "client", ca, caKey)
	config := put(t, "web.yml", []byte(`tls_server_config:
  cert_file: `+put(t, "cert", serverCert)+`
  key_file: `+put(t, "key", serverKey)+`
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: `+put(t, "ca", caPEM)+"\n"))
	public := serveFlags{webConfig: config, listen: "0.0.0.0:0"}
	if err := public.secure(); err != nil {
		t.Errorf("client certificates at a public address: %v", err)
	}
	url := "https://" + serving(t, serveFlags{webConfig: config}) + "/-/healthy"
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	client := func(certs ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs}, DisableKeepAlives: true}}
	}
	if got := status(t, client(), url, nil); got != 0 {
		t.Errorf("without a certificate: got status %d", got)
	}
	pair, err := tls.X509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	if got := status(t, client(pair), url, nil); got != http.StatusOK {
		t.Errorf("with a certificate: got status %d", got)
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "0.0.0.0:1": false, ":1": false, "[::]:1": false,
		"10.0.0.1:1": false, "example.com:1": false, "127.0.0.1.example.com:1": false,
	} {
		if got, err := loopback(address); err != nil || got != want {
			t.Errorf("%s: got %v, %v", address, got, err)
		}
	}
	if _, err := loopback("nonsense"); err == nil || !strings.Contains(err.Error(), "port") {
		t.Errorf("no port: got error %v", err)
	}
}

// metricsJSON is an OTLP request with one counter of a sender.
const metricsJSON = `{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "sent", "sum": {"aggregationTemporality": 2,
"isMonotonic": true, "dataPoints": [{"attributes": [{"key": "sender", "value": {"stringValue": "%d"}}], "timeUnixNano": "%d", "asDouble": %d}]}}]}]}]}`

// TestServeEnd: a server that is told to end while senders push at it ends within seconds, in an orderly way, and has
// every sample that it accepted.
func TestServeEnd(t *testing.T) {
	dir := t.TempDir()
	f := serveFlags{listen: "127.0.0.1:0", connections: 50, perAddress: 50, headerWithin: time.Second}
	f.server.Specs = []string{"../../examples/quickstart"}
	f.server.Data, f.server.Now = dir, time.Now
	f.server.Registry = prometheus.NewRegistry()
	s, err := server.Open(t.Context(), f.server)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error)
	go func() { done <- f.run(ctx, s, l, slog.New(slog.DiscardHandler)) }()
	const senders = 4
	var accepted [senders]int
	var wg sync.WaitGroup
	begin := time.Now().Add(-time.Hour)
	for i := range senders {
		wg.Go(func() {
			for n := 1; ; n++ {
				body := fmt.Sprintf(metricsJSON, i, begin.Add(time.Duration(n)*time.Millisecond).UnixNano(), n)
				res, err := http.Post("http://"+l.Addr().String()+"/api/v1/otlp/v1/metrics", "application/json", strings.NewReader(body))
				if err != nil {
					return
				}
				res.Body.Close()
				if res.StatusCode == http.StatusOK {
					accepted[i] = n
				}
				if n == 100 && i == 0 {
					stop()
				}
			}
		})
	}
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(dir+"/tsdb", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	points, err := e.Query(t.Context(), "sent_total", begin.Add(2*time.Minute))
	if err != nil || len(points) != senders {
		t.Fatalf("got %v, %v, want the counters of %d senders", points, err, senders)
	}
	for i, p := range points {
		if int(p.V) < accepted[i] || accepted[i] == 0 {
			t.Errorf("sender %d: %d samples accepted, the last in the store is %v", i, accepted[i], p.V)
		}
	}
}
