package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/ingest"
)

// minToken is the shortest token that is no invitation, in bytes.
const minToken = 16

// Tokens are bearer tokens with names. Only their hashes are kept. The zero value has none and lets everybody in.
type Tokens struct{ list []token }

type token struct {
	name string
	hash [sha256.Size]byte
}

// ParseTokens reads a token file: one token a line as NAME:TOKEN; blank lines and those that start with # do not count.
// Errors name the line and never the token.
func ParseTokens(text string) (Tokens, error) {
	var t Tokens
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, secret, ok := strings.Cut(line, ":")
		switch {
		case !ok || name == "" || strings.ContainsAny(name, " \t"):
			return Tokens{}, fmt.Errorf("line %d: want NAME:TOKEN", n)
		case len(secret) < minToken || strings.ContainsAny(secret, " \t"):
			return Tokens{}, fmt.Errorf("line %d: want a token of at least %d characters without spaces", n, minToken)
		case seen[name]:
			return Tokens{}, fmt.Errorf("line %d: the name %q is there twice", n, name)
		}
		seen[name] = true
		t.list = append(t.list, token{name, sha256.Sum256([]byte(secret))})
	}
	if len(t.list) == 0 {
		return Tokens{}, errors.New("there is no token")
	}
	return t, nil
}

// Empty reports whether there is no token.
func (t Tokens) Empty() bool { return len(t.list) == 0 }

// guard lets requests with a token through to h: as a bearer token, or as the password of basic authentication, for
// clients that know nothing else. The name of the token becomes the source of what is ingested. Without tokens the user
// of basic authentication does, if users says that somebody in front has checked it: a name that anybody can make up
// would be a way past the limits of a source.
func (t Tokens) guard(h http.Handler, users bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t.Empty() {
			if user, _, ok := r.BasicAuth(); ok && users {
				r = r.WithContext(ingest.WithSource(r.Context(), "user "+user))
			}
			h.ServeHTTP(w, r)
			return
		}
		name, ok := t.find(secretOf(r))
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer, Basic realm="plimsoll"`)
			http.Error(w, "want a valid token", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r.WithContext(ingest.WithSource(r.Context(), "token "+name)))
	})
}

// secretOf returns what a request authenticates itself with.
func secretOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	kind, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// find compares with every token, so that the time does not tell which one came near.
func (t Tokens) find(secret string) (string, bool) {
	hash := sha256.Sum256([]byte(secret))
	name, found := "", false
	for _, x := range t.list {
		if subtle.ConstantTimeCompare(hash[:], x.hash[:]) == 1 {
			name, found = x.name, true
		}
	}
	return name, found
}
