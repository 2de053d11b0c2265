// Package grafana brings one folder of a Grafana to hold exactly a given set of dashboards, in two steps as package
// output does it with files: [Client.Plan] compares and changes nothing, [Plan.Apply] sends what the plan showed.
//
// It speaks the API that Grafana 10 to 12 share: /api/folders, /api/search, /api/dashboards.
//
// # Whose dashboard is it
//
// A dashboard is overwritten or deleted only when it is proved ours. The proof is a tag, "plimsoll:" and a sum over the
// uid and the content, that Apply adds to what it writes:
//
//   - Without the tag it is somebody else's, whatever its uid.
//   - With a tag that fits, plimsoll wrote exactly this, and nobody has changed it since.
//   - With a tag that does not fit, it was edited; or it is a copy, if nobody asks for its uid.
//
// A tag is the one thing that a dashboard keeps over every API, export and edit, and that shows in Grafana. The sum
// covers the uid so that a copy ("Save as") is not taken for ours, and deleted.
//
// Grafana has no transactions, but each dashboard is replaced at once, and only if it is still what the plan saw.
package grafana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/remote"
)

// Options of a Client. The zero value has no credentials, which only tests want.
type Options struct {
	// Token of a service account. Else User and Password are sent, unless both are empty. No error repeats a token or a
	// password.
	Token, User, Password string
	HTTP                  *http.Client // nil means one that waits a minute for each answer
	Attempts              int          // of each request, the first included; 0 means 5
	// Wait sleeps between two attempts, or returns the error of ctx; nil means to use a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client talks to one Grafana. It is safe for concurrent use.
type Client struct{ api *remote.Client }

// New returns a client of the Grafana at base, for instance https://grafana.example.com. It sends nothing yet.
//
// Error: base is no URL with http or https and a host, or holds a password, a query or a fragment.
func New(base string, o Options) (*Client, error) {
	api, err := remote.New(remote.Server{Name: "Grafana", Example: "https://grafana.example.com"}, base, remote.Options{
		Token: o.Token, User: o.User, Password: o.Password, HTTP: o.HTTP, Attempts: o.Attempts, Wait: o.Wait,
	})
	return &Client{api}, err
}

// Folder is where the dashboards are.
type Folder struct {
	UID   string
	Title string // for when it has to be created
}

// folder returns the title of a folder, and whether there is one.
func (c *Client) folder(ctx context.Context, uid string) (title string, ok bool, err error) {
	var f struct{ Title string }
	ok, err = c.get(ctx, "/api/folders/"+url.PathEscape(uid), &f)
	if errors.Is(err, errForbidden) {
		// A Grafana that grants rights for each folder says the same of one that does not exist: 12.4 does. But a search
		// shows every folder that we may read.
		found, searchErr := c.search(ctx, url.Values{"type": {"dash-folder"}})
		if searchErr == nil && !slices.ContainsFunc(found, func(h hit) bool { return h.UID == uid }) {
			return "", false, nil
		}
	}
	return f.Title, ok, err
}

func (c *Client) createFolder(ctx context.Context, f Folder) error {
	const path = "/api/folders"
	a, err := c.post(ctx, path, map[string]any{"uid": f.UID, "title": f.Title})
	if err != nil || a.Status/100 == 2 {
		return err
	}
	if a.Tries > 1 {
		// An earlier try may have done it.
		if title, ok, err := c.folder(ctx, f.UID); err == nil && ok && title == f.Title {
			return nil
		}
	}
	return c.api.Refused(http.MethodPost, path, a)
}

// dashboard returns a dashboard, or false if there is none of this uid.
func (c *Client) dashboard(ctx context.Context, uid string) (live, bool, error) {
	var a answer
	ok, err := c.get(ctx, "/api/dashboards/uid/"+url.PathEscape(uid), &a)
	if err != nil || !ok {
		return live{}, false, err
	}
	if a.Dashboard == nil {
		return live{}, false, fmt.Errorf("read dashboard %q: the answer has none", uid)
	}
	return newLive(uid, a), true, nil
}

// answer is what Grafana says about a dashboard.
type answer struct {
	Dashboard map[string]any
	Meta      struct {
		FolderUID   string `json:"folderUid"`
		Provisioned bool
		UpdatedBy   string
		Updated     string
	}
}

// hits returns the uids of the dashboards in a folder that have Tag.
func (c *Client) hits(ctx context.Context, folder string) ([]string, error) {
	// An old Grafana that does not know folderUIDs finds more, which is left out below.
	found, err := c.search(ctx, url.Values{"type": {"dash-db"}, "tag": {Tag}, "folderUIDs": {folder}})
	var out []string
	for _, h := range found {
		if h.FolderUID == folder {
			out = append(out, h.UID)
		}
	}
	return out, err
}

// hit is a folder or a dashboard that a search has found.
type hit struct {
	UID       string `json:"uid"`
	FolderUID string `json:"folderUid"`
}

// search returns all that is found, page by page.
func (c *Client) search(ctx context.Context, q url.Values) ([]hit, error) {
	const limit = 1000
	q.Set("limit", strconv.Itoa(limit))
	var out []hit
	for page := 1; ; page++ {
		q.Set("page", strconv.Itoa(page))
		var found []hit
		ok, err := c.get(ctx, "/api/search?"+q.Encode(), &found)
		if err == nil && !ok {
			err = errors.New("there is no search: is this the address of Grafana?")
		}
		if out = append(out, found...); err != nil || len(found) < limit {
			return out, err
		}
	}
}

// save creates or replaces a dashboard, if it is still at the version in body.
func (c *Client) save(ctx context.Context, folder string, body map[string]any) (remote.Answer, error) {
	return c.post(ctx, savePath, map[string]any{
		"dashboard": body, "folderUid": folder, "overwrite": false, "message": "plimsoll apply",
	})
}

const savePath = "/api/dashboards/db"

// remove deletes a dashboard. One that is gone already is fine.
func (c *Client) remove(ctx context.Context, uid string) error {
	path := "/api/dashboards/uid/" + url.PathEscape(uid)
	a, err := c.api.Do(ctx, http.MethodDelete, path, nil)
	if err == nil && a.Status/100 != 2 && a.Status != http.StatusNotFound {
		err = c.api.Refused(http.MethodDelete, path, a)
	}
	return err
}

func (c *Client) post(ctx context.Context, path string, body any) (remote.Answer, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return remote.Answer{}, fmt.Errorf("encode: %w", err)
	}
	return c.api.Do(ctx, http.MethodPost, path, b)
}

// get reads an answer into out. It returns false if Grafana says that there is no such thing.
func (c *Client) get(ctx context.Context, path string, out any) (bool, error) {
	a, err := c.api.Do(ctx, http.MethodGet, path, nil)
	switch {
	case err != nil:
		return false, err
	case a.Status == http.StatusNotFound && saysMissing(a.Body):
		return false, nil
	case a.Status == http.StatusNotFound:
		return false, fmt.Errorf("%w (is this the address of Grafana?)", c.api.Refused(http.MethodGet, path, a))
	case a.Status == http.StatusForbidden:
		return false, fmt.Errorf("%w%w", c.api.Refused(http.MethodGet, path, a), errForbidden)
	case a.Status != http.StatusOK:
		return false, c.api.Refused(http.MethodGet, path, a)
	}
	if err := json.Unmarshal(a.Body, out); err != nil {
		return false, fmt.Errorf("read the answer of %s (is this the address of Grafana?): %w", c.api.Base()+path, err)
	}
	return true, nil
}

// errForbidden marks answers with status 403.
var errForbidden = errors.New("")

// saysMissing reports whether it is Grafana that answers 404, and not something before it.
func saysMissing(body []byte) bool {
	var said struct{ Message string }
	return json.Unmarshal(body, &said) == nil && strings.Contains(strings.ToLower(said.Message), "not found")
}
