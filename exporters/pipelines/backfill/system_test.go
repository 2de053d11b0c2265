package backfill_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// system answers like GitHub's or GitLab's API from records, one for each path.
type system struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]string // by path and, if it has one, page
	refuse  func(w http.ResponseWriter, path string) bool
	asked   []string // paths, with the status of the answer if it is not 200
}

func newSystem(t *testing.T, answers map[string]string) *system {
	s := &system{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *system) answer(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := req.URL.EscapedPath()
	if page := req.URL.Query().Get("page"); page != "" {
		path += " " + page
	}
	if req.Header.Get("Authorization") != "Bearer "+token {
		s.asked = append(s.asked, path+" 401")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.refuse != nil && s.refuse(w, path) {
		s.asked = append(s.asked, path+" refused")
		return
	}
	body, ok := s.answers[path]
	if !ok {
		s.asked = append(s.asked, path+" 404")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if next, rest, paged := strings.Cut(body, "\n"); paged && strings.HasPrefix(next, "next ") {
		body = rest
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="prev", <%s>; rel="next"`, s.URL, strings.ReplaceAll(next[5:], "SELF", s.URL)))
	}
	etag := fmt.Sprintf(`"%x"`, len(body))
	w.Header().Set("ETag", etag)
	if req.Header.Get("If-None-Match") == etag {
		s.asked = append(s.asked, path+" 304")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	s.asked = append(s.asked, path)
	io.WriteString(w, body)
}

// requests returns what was asked since it was last called.
func (s *system) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *system) set(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = body
}
