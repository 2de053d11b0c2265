package backfill

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// gitlab finds what happened in a project of GitLab. The list leaves out when a pipeline finished, which is part of its
// key, so each pipeline that has changed is asked for by itself.
func (r *round) gitlab(name string) error {
	root := r.base.String() + "/projects/" + url.PathEscape(name) + "/pipelines"
	list := fmt.Sprintf("%s?order_by=updated_at&per_page=100&sort=desc&updated_after=%s", root, url.QueryEscape(r.since(r.now).Format(time.RFC3339)))
	return r.changed(list, "", func(record json.RawMessage) (bool, error) {
		var head struct {
			ID      int64  `json:"id"`
			Status  string `json:"status"`
			Updated string `json:"updated_at"`
		}
		if err := json.Unmarshal(record, &head); err != nil || head.ID <= 0 {
			return true, nil // and nobody could say which pipeline it is
		}
		at := fmt.Sprintf("%s/%d", root, head.ID)
		state := head.Updated + " " + head.Status
		if r.known[at] == state {
			return true, nil
		}
		a, err := r.get(at, "")
		if err != nil {
			return false, err
		}
		if found, err := sources.GitLabPipeline(a.body, r.now); err == nil {
			r.keep(at, state, found)
		}
		return true, nil
	})
}
