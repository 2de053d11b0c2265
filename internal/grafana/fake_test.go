package grafana_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/grafana"
	"github.com/plimsoll-slo/plimsoll/internal/output"
)

// fake stands in for a Grafana in the tests of faults and of races, which a real one does not have on demand. What a
// real one does is tested by make test-grafana. Its answers are those of Grafana 12.4.0.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	folders  map[string]string // title by uid
	boards   map[string]*board
	noFolder int      // status for a folder that does not exist; 12.4 answers 403 to a service account
	seen     []string // method and path of each request that changes something
	header   http.Header
	before   func(*http.Request) *said // if set, may answer instead
	after    func(*http.Request) *said // if set, may answer instead of what was done
}

type board struct {
	body    map[string]any
	version float64
	folder  string
	files   bool // provisioned
}

// said is an answer.
type said struct {
	status int
	header map[string]string
	body   string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{folders: map[string]string{}, boards: map[string]*board{}, noFolder: http.StatusForbidden}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.header = r.Header.Clone()
	if r.Method != http.MethodGet {
		f.seen = append(f.seen, r.Method+" "+r.URL.Path)
	}
	var a *said
	if f.before != nil {
		a = f.before(r)
	}
	if a == nil {
		a = f.answer(r)
		if f.after != nil {
			if other := f.after(r); other != nil {
				a = other
			}
		}
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	fmt.Fprint(w, a.body)
}

func (f *fake) answer(r *http.Request) *said {
	uid := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	where := strings.TrimSuffix(r.URL.Path, uid)
	switch {
	case r.Method == http.MethodGet && where == "/api/folders/":
		title, ok := f.folders[uid]
		if !ok {
			return &said{f.noFolder, nil, `{"message":"folder not found"}`}
		}
		return say(map[string]any{"uid": uid, "title": title})
	case r.Method == http.MethodPost && r.URL.Path == "/api/folders":
		var body struct{ UID, Title string }
		read(r, &body)
		if _, ok := f.folders[body.UID]; ok {
			return &said{409, nil, `{"message":"the folder has been changed by someone else"}`}
		}
		f.folders[body.UID] = body.Title
		return say(body)
	case r.URL.Path == "/api/search":
		return f.search(r.URL.Query().Get("type"))
	case r.Method == http.MethodPost && r.URL.Path == "/api/dashboards/db":
		return f.save(r)
	}
	b, ok := f.boards[uid]
	switch {
	case where != "/api/dashboards/uid/":
		return &said{404, nil, "404 page not found"}
	case !ok:
		return &said{404, nil, `{"message":"Dashboard not found"}`}
	case r.Method == http.MethodDelete:
		delete(f.boards, uid)
		return say(map[string]any{"title": "x"})
	}
	body := map[string]any{"id": 7, "version": b.version}
	for k, v := range b.body {
		body[k] = v
	}
	meta := map[string]any{"folderUid": b.folder, "provisioned": b.files, "updatedBy": "alice", "updated": "2026-01-01T00:00:00Z"}
	return say(map[string]any{"dashboard": body, "meta": meta})
}

func (f *fake) save(r *http.Request) *said {
	var body struct {
		Dashboard map[string]any
		FolderUID string `json:"folderUid"`
	}
	read(r, &body)
	d := body.Dashboard
	uid, _ := d["uid"].(string)
	version, _ := d["version"].(float64)
	b, ok := f.boards[uid]
	if !ok {
		b = &board{}
		f.boards[uid] = b
	} else if version != b.version {
		return &said{412, nil, `{"message":"The dashboard has been changed by someone else","status":"version-mismatch"}`}
	}
	delete(d, "id")
	delete(d, "version")
	b.body, b.folder, b.version = d, body.FolderUID, b.version+1
	return say(map[string]any{"status": "success", "uid": uid, "version": b.version})
}

// search finds everything, like a Grafana that does not know folderUIDs.
func (f *fake) search(kind string) *said {
	hits := []map[string]any{}
	if kind == "dash-folder" {
		for uid := range f.folders {
			hits = append(hits, map[string]any{"uid": uid})
		}
		return say(hits)
	}
	for uid, b := range f.boards {
		tags, _ := b.body["tags"].([]any)
		if slices.Contains(tags, any(grafana.Tag)) {
			hits = append(hits, map[string]any{"uid": uid, "folderUid": b.folder})
		}
	}
	return say(hits)
}

func say(v any) *said {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &said{200, nil, string(b)}
}

func read(r *http.Request, v any) {
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		panic(err)
	}
}

// changes returns the requests that changed something since the last call.
func (f *fake) changes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.seen
	f.seen = nil
	return out
}

func (f *fake) client(t *testing.T, o grafana.Options) *grafana.Client {
	t.Helper()
	c, err := grafana.New(f.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var folder = grafana.Folder{UID: "slos", Title: "SLOs"}

// boards returns dashboards of which each has one panel with a title.
func boards(title string, uids ...string) []grafana.Dashboard {
	var out []grafana.Dashboard
	for _, uid := range uids {
		text := fmt.Sprintf(`{"uid": %q, "title": %q, "tags": ["slo", %q], "panels": [{"id": 1, "title": %q}]}`, uid, "T "+uid, grafana.Tag, title)
		out = append(out, grafana.Dashboard{UID: uid, JSON: []byte(text)})
	}
	return out
}

func plan(t *testing.T, c *grafana.Client, ds []grafana.Dashboard, o grafana.PlanOptions) *grafana.Plan {
	t.Helper()
	p, err := c.Plan(t.Context(), folder, ds, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, c *grafana.Client, ds []grafana.Dashboard) {
	t.Helper()
	if err := plan(t, c, ds, grafana.PlanOptions{}).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantPlan compares a plan in short: its actions and reasons by path.
func wantPlan(t *testing.T, p *grafana.Plan, want ...string) {
	t.Helper()
	var got []string
	for _, c := range p.Changes {
		got = append(got, strings.TrimSpace(string(c.Action)+" "+c.Path+" "+c.Reason))
	}
	for _, c := range p.Conflicts {
		got = append(got, "conflict "+c.Path+" "+c.Reason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("plan\n got %q\nwant %q", got, want)
	}
	for _, c := range p.Changes {
		if c.Action == output.Update && len(c.Diff()) == 0 && c.Reason == "" {
			t.Logf("%s is updated without a visible change", c.Path)
		}
	}
}
