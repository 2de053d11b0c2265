package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// The stores of these tests are fakes: they do what a real one cannot be made to do. What real ones do is in
// internal/realtest.

var at = time.Date(2026, 3, 2, 9, 0, 0, 500e6, time.UTC)

const good = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"x","a":"b"},"value":[1772442000.5,"1.5"]}]}}`

// reaction is what a fake store answers.
type reaction struct {
	status int
	header map[string]string
	body   string
}

// fake answers each request with the next reaction, and with the last for ever.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	next  []reaction
	seen  []*http.Request
	forms []string
}

func newFake(t *testing.T, next ...reaction) *fake {
	f := &fake{next: next}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.seen, f.forms = append(f.seen, r), append(f.forms, string(body))
		a := f.next[0]
		if len(f.next) > 1 {
			f.next = f.next[1:]
		}
		for k, v := range a.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(f.Close)
	return f
}

// client returns a client of a store at url that does not wait, and the pauses that it would have made.
func client(t *testing.T, url string, o Options) (*Store, *[]time.Duration) {
	t.Helper()
	var pauses []time.Duration
	o.URL = url
	if o.Type == "" {
		o.Type = Prometheus
	}
	o.Wait = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, &pauses
}

func TestQuery(t *testing.T) {
	f := newFake(t, reaction{status: 200, body: good})
	s, _ := client(t, f.URL+"/prometheus/", Options{Type: VictoriaMetrics, Tenant: "shop", Headers: map[string]string{"X-Team": "sre"}})
	got, err := s.Query(t.Context(), `x{a="b"}`, at)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Sample{{Labels: store.Labels{"__name__": "x", "a": "b"}, T: at, V: 1.5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	r := f.seen[0]
	if r.URL.Path != "/prometheus/api/v1/query" || r.Header.Get("X-Scope-OrgID") != "shop" || r.Header.Get("X-Team") != "sre" {
		t.Errorf("want the path below the URL, the tenant and the header, have %s %v", r.URL, r.Header)
	}
	if want := "deny_partial_response=1&nocache=1&query=x%7Ba%3D%22b%22%7D&time=1772442000.500"; f.forms[0] != want {
		t.Errorf("want the form %s, have %s", want, f.forms[0])
	}
}

// Trouble that is not about the question is away, has a code, and is tried again if it may pass.
func TestTrouble(t *testing.T) {
	const ms = time.Millisecond
	busy := reaction{status: 429, header: map[string]string{"Retry-After": "2"}, body: "slow\ndown"}
	for _, c := range []struct {
		name   string
		next   []reaction
		code   string
		away   bool
		wrong  bool
		pauses []time.Duration
	}{
		{"503 twice, then fine", []reaction{{status: 503}, {status: 503}, {status: 200, body: good}}, "", false, false, []time.Duration{250 * ms, 500 * ms}},
		{"503 for ever", []reaction{{status: 503}}, CodeFailing, true, false, []time.Duration{250 * ms, 500 * ms}},
		{"busy for ever", []reaction{busy}, CodeBusy, true, false, []time.Duration{2000 * ms, 2000 * ms}},
		{"busy for a day", []reaction{{status: 429, header: map[string]string{"Retry-After": "86400"}}, {status: 200, body: good}}, "", false, false, []time.Duration{10_000 * ms}},
		{"wrong token", []reaction{{status: 401, body: "no org id"}}, CodeAuth, true, true, nil},
		{"wrong path", []reaction{{status: 404, body: "404 page not found"}}, CodePath, true, true, nil},
		{"redirect", []reaction{{status: 302, header: map[string]string{"Location": "/login"}}}, CodePath, true, true, nil},
		{"bad query", []reaction{{status: 400, body: `{"status":"error","errorType":"bad_data","error":"parse error"}`}}, CodeQuery, false, false, nil},
		{"failing query", []reaction{{status: 422, body: `{"status":"error","errorType":"execution","error":"too many samples"}`}}, CodeQuery, false, false, nil},
		{"partial, as Thanos says it", []reaction{{status: 200, body: strings.Replace(good, `"data"`, `"warnings":["receive-1: connection refused"],"data"`, 1)}}, CodePartial, true, false, nil},
		{"partial, as VictoriaMetrics says it", []reaction{{status: 200, body: strings.Replace(good, `"data"`, `"isPartial":true,"data"`, 1)}}, CodePartial, true, false, nil},
		{"a warning about the query", []reaction{{status: 200, body: strings.Replace(good, `"data"`, `"warnings":["PromQL warning: mix of histograms"],"data"`, 1)}}, "", false, false, nil},
		{"another program", []reaction{{status: 200, body: "<html>hello"}}, CodeAnswer, true, false, nil},
		{"half an answer", []reaction{{status: 200, body: good[:60]}}, CodeAnswer, true, false, nil},
		{"a cut answer", []reaction{{status: 200, header: map[string]string{"Content-Length": "9999"}, body: good}}, CodeUnreachable, true, false, []time.Duration{250 * ms, 500 * ms}},
	} {
		f := newFake(t, c.next...)
		s, pauses := client(t, f.URL, Options{})
		_, err := s.Query(t.Context(), "x", at)
		e, _ := errors.AsType[*Error](err)
		code := ""
		if e != nil {
			code = e.Code
			if !strings.HasSuffix(err.Error(), "["+code+"]") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: want one line that ends with the code, have %q", c.name, err)
			}
		}
		if code != c.code || errors.Is(err, store.ErrAway) != c.away || IsWrong(err) != c.wrong {
			t.Errorf("%s: want code %q, away %v, wrong %v, have %v", c.name, c.code, c.away, c.wrong, err)
		}
		if diff := cmp.Diff(c.pauses, *pauses); diff != "" {
			t.Errorf("%s: pauses (-want +got):\n%s", c.name, diff)
		}
	}
}

// A store that answers too slowly, is not there, or is not trusted.
func TestNoAnswer(t *testing.T) {
	over := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer slow.Close()
	defer close(over)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	strange := httptest.NewTLSServer(http.NotFoundHandler())
	strange.Config.ErrorLog = nil
	defer strange.Close()
	for url, code := range map[string]string{slow.URL: CodeUnreachable, gone.URL: CodeUnreachable, strange.URL: CodeTLS} {
		o := Options{}
		if url == slow.URL {
			o.Timeout = 200 * time.Millisecond // the others have all the time that they need
		}
		s, _ := client(t, url, o)
		_, err := s.Query(t.Context(), "x", at)
		if e, _ := errors.AsType[*Error](err); e == nil || e.Code != code || !errors.Is(err, store.ErrAway) {
			t.Errorf("%s: want code %s, have %v", url, code, err)
		}
	}
}

// No message repeats a secret, and secrets come from files that may change.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token, header := file("token", "s3cret-one\n"), file("header", "h1dden\n")
	f := newFake(t, reaction{status: 403, body: "who is Bearer s3cret-one with h1dden?"}, reaction{status: 200, body: good})
	s, _ := client(t, f.URL, Options{BearerTokenFile: token, HeaderFiles: map[string]string{"X-Key": header}})
	_, err := s.Query(t.Context(), "x", at)
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "h1dden") || !strings.Contains(err.Error(), "who is Bearer ***") {
		t.Errorf("want the words of the store without secrets, have %v", err)
	}
	file("token", "s3cret-two\n")
	if _, err := s.Query(t.Context(), "x", at); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"Bearer s3cret-one", "Bearer s3cret-two"} {
		if got := f.seen[i].Header.Get("Authorization"); got != want {
			t.Errorf("request %d: want %q, have %q", i, want, got)
		}
	}
	if _, err := New(Options{Type: Prometheus, URL: "http://me:pass@localhost"}); err == nil || strings.Contains(err.Error(), "pass@") {
		t.Errorf("a URL with a password: want an error without it, have %v", err)
	}
	if _, err := New(Options{Type: Prometheus, URL: f.URL, BearerTokenFile: dir + "/none"}); err == nil {
		t.Error("a token file that is not there: want an error, have none")
	}
}

// receiver is a fake of the other side of remote write.
type receiver struct {
	*httptest.Server
	v2, silent bool // takes 2.0; answers 2.0 as if it were an empty 1.0
	baffled    bool // answers 2.0 as a 1.0 that it cannot read
	refuse     map[string]string
	partial    bool // 1.0 writes what it can of a refused request, as Cortex does
	got        map[string]float64
	requests   int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{refuse: map[string]string{}, got: map[string]float64{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	r.requests++
	body, _ := io.ReadAll(req.Body)
	raw, err := compression.Decode(compression.Snappy, body, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	found := map[string]float64{}
	if strings.Contains(req.Header.Get("Content-Type"), "v2") {
		switch {
		case r.silent:
			return
		case r.baffled:
			http.Error(w, "proto: wrong wireType", http.StatusBadRequest)
			return
		}
		if !r.v2 {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		var m writev2.Request
		if err := m.Unmarshal(raw); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, ts := range m.Timeseries {
			var b labels.ScratchBuilder
			l, _ := ts.ToLabels(&b, m.Symbols)
			for _, x := range ts.Samples {
				found[fmt.Sprintf("%s %d", l, x.Timestamp)] = x.Value
			}
		}
	} else {
		var m prompb.WriteRequest
		if err := m.Unmarshal(raw); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, ts := range m.Timeseries {
			var b labels.ScratchBuilder
			for _, x := range ts.Samples {
				found[fmt.Sprintf("%s %d", ts.ToLabels(&b, nil), x.Timestamp)] = x.Value
			}
		}
	}
	r.take(w, found, strings.Contains(req.Header.Get("Content-Type"), "v2"))
}

func (r *receiver) take(w http.ResponseWriter, found map[string]float64, v2 bool) {
	bad, n := "", 0
	for k := range found {
		if why := r.refuse[k]; why != "" {
			bad = why
		}
	}
	for k, v := range found {
		if r.refuse[k] == "" && (bad == "" || v2 || r.partial) {
			r.got[k] = v
			n++
		}
	}
	if v2 {
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", fmt.Sprint(n))
	}
	if bad != "" {
		http.Error(w, bad, http.StatusBadRequest)
	}
}

// Samples arrive whatever version the store takes, and those that it refuses do not keep the others from being written.
func TestWrite(t *testing.T) {
	rows := []store.Row{}
	for i := range 5 {
		r := store.Row{Labels: store.Labels{"__name__": "x", "i": fmt.Sprint(i)}}
		for j := range 4 {
			r.Samples = append(r.Samples, store.Point{T: at.Add(time.Duration(j) * time.Second), V: float64(10*i + j)})
		}
		rows = append(rows, r)
	}
	key := func(i, j int) string {
		return fmt.Sprintf(`{__name__="x", i="%d"} %d`, i, at.Add(time.Duration(j)*time.Second).UnixMilli())
	}
	for _, c := range []struct {
		name     string
		receiver receiver
		kind     Type
		version  Version
		most     int // requests
		refused  int
	}{
		{"2.0", receiver{v2: true}, Prometheus, Auto, 1, 2},
		{"2.0 is not taken", receiver{}, Prometheus, Auto, 40, 2},
		{"2.0 is taken for an empty request", receiver{silent: true}, Prometheus, Auto, 40, 2},
		{"2.0 is not understood", receiver{baffled: true, partial: true}, Mimir, Auto, 2, 1},
		{"1.0, which writes all or nothing", receiver{}, Prometheus, V1, 39, 2},
		{"1.0, which writes what it can and says one reason", receiver{partial: true}, Cortex, Auto, 2, 1},
	} {
		f := newReceiver(t)
		f.v2, f.silent, f.baffled, f.partial = c.receiver.v2, c.receiver.silent, c.receiver.baffled, c.receiver.partial
		f.refuse[key(1, 2)] = "err: duplicate sample for timestamp 5"
		f.refuse[key(3, 0)] = "duplicate sample"
		s, _ := client(t, f.URL, Options{Type: c.kind, WriteURL: f.URL, Version: c.version})
		out, err := s.Write(t.Context(), rows)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if out.Written != 20-c.refused || out.Refused[RefusedDuplicate] != c.refused || !strings.Contains(out.Why, "duplicate sample") {
			t.Errorf("%s: want %d duplicates and the rest written, have %+v", c.name, c.refused, out)
		}
		if len(f.got) != 18 || f.got[key(4, 3)] != 43 || f.requests > c.most {
			t.Errorf("%s: want 18 samples in at most %d requests, have %d in %d", c.name, c.most, len(f.got), f.requests)
		}
	}
}

// A store that refuses everything is not asked about each sample.
func TestWriteRefused(t *testing.T) {
	f := newFake(t, reaction{status: 400, body: "out of order sample"})
	s, _ := client(t, f.URL, Options{Version: V1})
	row := store.Row{Labels: store.Labels{"__name__": "x"}}
	for i := range 2000 {
		row.Samples = append(row.Samples, store.Point{T: at.Add(time.Duration(i) * time.Second)})
	}
	out, err := s.Write(t.Context(), []store.Row{row})
	if err != nil || out.Written != 0 || out.Refused[RefusedOutOfOrder] != 2000 || len(f.seen) > 300 {
		t.Errorf("want 2000 refused in at most 300 requests, have %+v, %v in %d", out, err, len(f.seen))
	}
}

func TestReasons(t *testing.T) {
	for text, want := range map[string]string{
		"duplicate sample for timestamp 1772446095000; overrides not allowed":                                                RefusedDuplicate,
		"user=shop: err: duplicate sample for timestamp":                                                                     RefusedDuplicate,
		"the sample has been rejected because another sample with the same timestamp (err-mimir-sample-duplicate-timestamp)": RefusedDuplicate,
		"out of order sample":                  RefusedOutOfOrder,
		"out of bounds":                        RefusedTooOld,
		"too old sample":                       RefusedTooOld,
		"(err-mimir-sample-out-of-order)":      RefusedOutOfOrder,
		"per-user series limit of 10 exceeded": RefusedOther,
	} {
		if got := reasonOf([]byte(text)); got != want {
			t.Errorf("%s: want %s, have %s", text, want, got)
		}
	}
}

// The proxy reads and does nothing else, and with our credentials.
func TestProxy(t *testing.T) {
	f := newFake(t, reaction{status: 200, header: map[string]string{"Set-Cookie": "a=b"}, body: good})
	s, _ := client(t, f.URL+"/prometheus", Options{Tenant: "shop"})
	front := httptest.NewServer(s.Proxy())
	defer front.Close()
	ask := func(method, path string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, front.URL+path, strings.NewReader("query=x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer theirs")
		req.Header.Set("X-Scope-OrgID", "other")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res, string(body)
	}
	for _, path := range []string{"GET /api/v1/query?query=x", "POST /api/v1/query_range", "GET /api/v1/label/job/values", "GET /api/v1/series?match[]=x", "GET /api/v1/labels"} {
		method, path, _ := strings.Cut(path, " ")
		if res, body := ask(method, path); res.StatusCode != 200 || body != good || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: want the answer of the store, have %s %s", path, res.Status, body)
		}
		r := f.seen[len(f.seen)-1]
		if r.URL.RequestURI() != "/prometheus"+path || r.Header.Get("Authorization") != "" || r.Header.Get("X-Scope-OrgID") != "shop" {
			t.Errorf("%s: want our credentials and path, have %s %v", path, r.URL, r.Header)
		}
	}
	n := len(f.seen)
	for _, path := range []string{
		"POST /api/v1/write", "POST /api/v1/push", "POST /api/v1/admin/tsdb/delete_series", "DELETE /api/v1/series", "PUT /api/v1/query",
		"GET /api/v1/status/config", "GET /api/v1/label/a/b/values", "POST /api/v1/label/a/values", "GET /config/v1/rules",
	} {
		method, path, _ := strings.Cut(path, " ")
		if res, _ := ask(method, path); res.StatusCode != 404 {
			t.Errorf("%s %s: want 404, have %s", method, path, res.Status)
		}
	}
	if len(f.seen) != n {
		t.Errorf("want none of these at the store, have %d", len(f.seen)-n)
	}
	f.mu.Lock()
	f.next = []reaction{{status: 401, header: map[string]string{"WWW-Authenticate": "Basic"}}}
	f.mu.Unlock()
	if res, body := ask("GET", "/api/v1/query?query=x"); res.StatusCode != 503 || res.Header.Get("WWW-Authenticate") != "" || !strings.Contains(body, CodeAuth) {
		t.Errorf("our credentials are wrong: want 503 that does not ask the user for theirs, have %s %s", res.Status, body)
	}
}

// A store that does not answer holds up a query of a user for as long as any other, and no longer.
func TestProxySlow(t *testing.T) {
	gone := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	}))
	defer slow.Close()
	s, _ := client(t, slow.URL, Options{Timeout: 50 * time.Millisecond})
	w := httptest.NewRecorder()
	s.Proxy().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/query?query=x", nil))
	if <-gone; w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), CodeUnreachable) {
		t.Errorf("want 503 and %s, have %d %s", CodeUnreachable, w.Code, w.Body)
	}
}
