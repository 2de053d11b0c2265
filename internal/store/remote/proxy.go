package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// Proxy returns a handler that passes queries of users to the store, with our credentials instead of theirs: the paths of
// the query API below /api/v1 that read series. It answers all others with 404: whoever may read here may not write
// there. A store has Options.Timeout for its whole answer.
func (s *Store) Proxy() http.Handler {
	p := &httputil.ReverseProxy{
		Transport: s.http.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			to := *s.query
			r.SetURL(&url.URL{Scheme: to.Scheme, Host: to.Host})
			r.Out.URL.Path = strings.TrimRight(to.Path, "/") + r.In.URL.Path
			r.Out.URL.RawPath = ""
			r.Out.Host = to.Host
			kept := http.Header{}
			for _, name := range []string{"Accept", "Accept-Encoding", "Content-Type"} {
				if v := r.In.Header.Values(name); len(v) > 0 {
					kept[name] = v
				}
			}
			r.Out.Header = kept
		},
		ModifyResponse: func(res *http.Response) error {
			if code := codeOf(res.StatusCode); code == CodeAuth || code == CodePath {
				// It is about our credentials, not about those of the user.
				return fmt.Errorf("%s [%s]", res.Status, code)
			}
			res.Header.Del("Set-Cookie")
			res.Header.Del("Www-Authenticate")
			s.metrics.observe("proxy", 0, res.StatusCode, nil)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			s.metrics.observe("proxy", 0, 0, err)
			reply503(w, s.lost(request{what: "query", to: s.query}, err).Error())
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !reads(r) {
			http.NotFound(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.o.Timeout)
		defer cancel()
		p.ServeHTTP(w, r.WithContext(ctx))
	})
}

// reads reports whether a request is one that only reads series.
func reads(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	switch path {
	case "query", "query_range", "query_exemplars", "series", "labels", "metadata", "format_query", "parse_query":
		return ok
	}
	name, isLabel := strings.CutPrefix(path, "label/")
	name, isValues := strings.CutSuffix(name, "/values")
	return ok && isLabel && isValues && name != "" && !strings.Contains(name, "/") && r.Method == http.MethodGet
}

// reply503 answers as the query API does.
func reply503(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	body, err := json.Marshal(map[string]string{"status": "error", "errorType": "unavailable", "error": text})
	if err == nil {
		_, _ = w.Write(body)
	}
}
