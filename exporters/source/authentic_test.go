package source_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// vector is a published signature.
type vector struct {
	Scheme  string
	Headers map[string]string
	Secret  string
	Body    string
}

func (v vector) header(change func(name, value string) []string) http.Header {
	header := http.Header{}
	for name, value := range v.Headers {
		for _, value := range change(name, value) {
			header.Add(name, value)
		}
	}
	return header
}

func same(_, value string) []string { return []string{value} }

// signatureOf tells whether a header is the one with the signature.
func signatureOf(name string) bool { return strings.Contains(strings.ToLower(name), "signature") }

// signing has the time the vector of Standard Webhooks was signed at.
var signing = time.Unix(1614265330, 0)

func vectors(t *testing.T) []vector {
	t.Helper()
	var all []vector
	if err := json.Unmarshal(exportertest.Read(t, "testdata/vectors.json"), &all); err != nil || len(all) != 4 {
		t.Fatalf("want 4 vectors, have %d: %v", len(all), err)
	}
	return all
}

func schemeOf(t *testing.T, name string) source.Authentic {
	t.Helper()
	check := map[string]source.Authentic{
		"standard-webhooks": source.SignedByGitLab, "pagerduty-v3": source.SignedByPagerDuty,
		"circleci": source.SignedByCircleCI, "github": source.SignedByGitHub, "gitlab": source.SignedByGitLab,
	}[name]
	if check == nil {
		t.Fatalf("no scheme %q", name)
	}
	return check
}

func TestSignatures(t *testing.T) {
	for _, v := range vectors(t) {
		check := schemeOf(t, v.Scheme)
		f := func(want bool, what string, header http.Header, body string, secrets ...string) {
			t.Helper()
			if got := check(secrets, header, []byte(body), signing); got != want {
				t.Errorf("%s, %s: %v, want %v", v.Scheme, what, got, want)
			}
		}
		header := v.header(same)
		f(true, "as published", header, v.Body, v.Secret)
		f(true, "while the secret is rotated", header, v.Body, "", "a new secret", v.Secret)
		f(false, "no secrets", header, v.Body)
		f(false, "an empty secret", header, v.Body, "", "whsec_")
		f(false, "another secret", header, v.Body, "another secret", "whsec_AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		f(false, "a tampered body", header, v.Body+" ", v.Secret)
		f(false, "an empty body", header, "", v.Secret)
		f(false, "no header", http.Header{}, v.Body, v.Secret)
		on := func(change func(string) []string) http.Header {
			return v.header(func(name, value string) []string {
				if signatureOf(name) {
					return change(value)
				}
				return []string{value}
			})
		}
		f(false, "a truncated signature", on(func(s string) []string { return []string{s[:len(s)-4]} }), v.Body, v.Secret)
		f(false, "a signature with more", on(func(s string) []string { return []string{s + "0000"} }), v.Body, v.Secret)
		f(false, "an empty signature", on(func(string) []string { return []string{""} }), v.Body, v.Secret)
		f(false, "a prefix only", on(func(s string) []string { return []string{s[:3]} }), v.Body, v.Secret)
		f(false, "no prefix", on(func(s string) []string {
			return []string{strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "sha256="), "v1="), "v1,")}
		}), v.Body, v.Secret)
		f(false, "another version", on(func(s string) []string { return []string{"v2" + s[2:]} }), v.Body, v.Secret)
		f(false, "the header twice", on(func(s string) []string { return []string{s, s} }), v.Body, v.Secret)
		f(false, "a header of another before it", on(func(s string) []string { return []string{strings.ToUpper(s), s} }), v.Body, v.Secret)
		mac := hmac.New(sha1.New, []byte(v.Secret))
		mac.Write([]byte(v.Body))
		f(false, "SHA-1", on(func(s string) []string {
			return []string{fmt.Sprintf("%s%x", s[:3], mac.Sum(nil)), fmt.Sprintf("sha1=%x", mac.Sum(nil))}
		}), v.Body, v.Secret)
		f(false, "SHA-1 with the right prefix", on(func(string) []string { return []string{fmt.Sprintf("v1=%x", mac.Sum(nil))} }), v.Body, v.Secret)
	}
}

func TestManySignatures(t *testing.T) {
	for _, v := range vectors(t) {
		separator := map[string]string{"standard-webhooks": " ", "pagerduty-v3": ",", "circleci": ","}[v.Scheme]
		if separator == "" {
			continue
		}
		f := func(want bool, before int) {
			t.Helper()
			header := v.header(func(name, value string) []string {
				if !signatureOf(name) {
					return []string{value}
				}
				other := value[:len(value)-6] + "AAAAA="
				if separator == "," {
					other = value[:len(value)-6] + "000000"
				}
				return []string{strings.Repeat("v0,x"+separator+other+separator, before) + value}
			})
			if got := schemeOf(t, v.Scheme)([]string{v.Secret}, header, []byte(v.Body), signing); got != want {
				t.Errorf("%s after %d others: %v, want %v", v.Scheme, before, got, want)
			}
		}
		f(true, 0)
		f(true, 1)
		f(true, 4)
		f(false, 1000)
	}
}

// TestReplay: a signature of Standard Webhooks holds for 5 minutes, and for the time it was made for only.
func TestReplay(t *testing.T) {
	v := vectors(t)[1]
	f := func(want bool, now time.Time, header http.Header) {
		t.Helper()
		if got := source.SignedByStandard([]string{v.Secret}, header, []byte(v.Body), now); got != want {
			t.Errorf("at %v: %v, want %v", now, got, want)
		}
	}
	header := v.header(same)
	f(true, signing, header)
	f(true, signing.Add(5*time.Minute), header)
	f(true, signing.Add(-5*time.Minute), header)
	f(false, signing.Add(5*time.Minute+1), header)
	f(false, signing.Add(-5*time.Minute-1), header)
	f(false, signing.AddDate(1, 0, 0), header)
	for _, sent := range []string{"1614265331", "", "x", "1614265330.0", "99999999999999999999", "-1"} {
		changed := v.header(same)
		changed.Set("webhook-timestamp", sent)
		f(false, signing, changed)
	}
	changed := v.header(same)
	changed.Set("webhook-id", "msg_other")
	f(false, signing, changed)
	changed.Del("webhook-id")
	f(false, signing, changed)
}

func TestGitLabToken(t *testing.T) {
	const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	f := func(want bool, header http.Header, secrets ...string) {
		t.Helper()
		if got := source.SignedByGitLab(secrets, header, []byte("{}"), signing); got != want {
			t.Errorf("%v with %q: %v, want %v", header, secrets, got, want)
		}
	}
	token := func(values ...string) http.Header { return http.Header{"X-Gitlab-Token": values} }
	f(true, token("a long secret token"), "a long secret token")
	f(true, token("a long secret token"), "", key, "a new one", "a long secret token")
	f(false, token("a long secret token"))
	f(false, token("a long secret token"), "")
	f(false, token("a long secret toke"), "a long secret token")
	f(false, token("a long secret token "), "a long secret token")
	f(false, token("A long secret token"), "a long secret token")
	f(false, token("a long secret token", "a long secret token"), "a long secret token")
	f(false, token(""), "")
	f(false, token(), "a long secret token")
	f(false, http.Header{}, "a long secret token")
	f(false, token(key), key) // a signing key must never be sent
	both := token("a long secret token")
	both.Set("webhook-signature", "v1,AAAA")
	f(false, both, "a long secret token", key) // a bad signature is not mended by a token
	f(true, both, "a long secret token")       // there is no key to check it with
}

func TestBearer(t *testing.T) {
	f := func(want bool, secrets []string, values ...string) {
		t.Helper()
		if got := source.Bearer(secrets, http.Header{"Authorization": values}, nil, signing); got != want {
			t.Errorf("%q with %q: %v, want %v", values, secrets, got, want)
		}
	}
	f(true, []string{"token"}, "Bearer token")
	f(true, []string{"new", "token"}, "bearer token")
	f(false, []string{"token"}, "Bearer  ")
	f(false, []string{""}, "Bearer ")
	f(false, nil, "Bearer token")
	f(false, []string{"token"}, "token")
	f(false, []string{"token"}, "Basic token")
	f(false, []string{"token"}, "Bearer token2")
	f(false, []string{"token"}, "Bearer token", "Bearer token")
	f(false, []string{"token"})
}

func TestSignedByGitHub(t *testing.T) {
	var vectors []struct{ Header, Secret, Body, Signature string }
	if err := json.Unmarshal(exportertest.Read(t, "testdata/signatures.json"), &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, v := range vectors {
		f := func(want bool, header, signature, body string, secrets ...string) {
			t.Helper()
			if got := source.SignedByGitHub(secrets, http.Header{header: {signature}}, []byte(body), signing); got != want {
				t.Errorf("%s %q over %q with %q: %v, want %v", header, signature, body, secrets, got, want)
			}
		}
		f(true, v.Header, v.Signature, v.Body, v.Secret)
		f(true, v.Header, v.Signature, v.Body, "the new secret, not yet used", v.Secret)
		f(false, v.Header, v.Signature, v.Body)
		f(false, v.Header, v.Signature, v.Body, "")
		f(false, v.Header, v.Signature, v.Body, "another secret, long enough")
		f(false, v.Header, v.Signature, v.Body+" ", v.Secret)
		f(false, v.Header, v.Signature[:len(v.Signature)-1], v.Body, v.Secret)
		f(false, v.Header, v.Signature[:len(v.Signature)-2], v.Body, v.Secret)
		f(false, v.Header, v.Signature+"00", v.Body, v.Secret)
		f(false, v.Header, strings.TrimPrefix(v.Signature, "sha256="), v.Body, v.Secret)
		f(false, v.Header, "sha256=", v.Body, v.Secret)
		f(false, v.Header, "", v.Body, v.Secret)
		f(false, "X-Hub-Signature", v.Signature, v.Body, v.Secret)
		mac := hmac.New(sha1.New, []byte(v.Secret))
		mac.Write([]byte(v.Body))
		f(false, "X-Hub-Signature", fmt.Sprintf("sha1=%x", mac.Sum(nil)), v.Body, v.Secret)
		f(false, v.Header, fmt.Sprintf("sha1=%x", mac.Sum(nil)), v.Body, v.Secret)
	}
}
