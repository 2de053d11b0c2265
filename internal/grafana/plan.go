package grafana

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/output"
)

// PlanOptions are the choices of Client.Plan; the zero value is the safe one.
type PlanOptions struct {
	// Force overwrites dashboards of ours that were edited or moved in Grafana, and those that were imported from
	// generated files; and allows to delete all. Dashboards of others are never overwritten.
	Force bool
}

// Plan is the difference between a folder and the dashboards that it should hold.
type Plan struct {
	// Plan shows the difference: Dir is the URL of Grafana, paths are folders/UID and dashboards/UID. Its own Apply is
	// not to be called.
	output.Plan

	client *Client
	folder Folder
	steps  []step
}

// step is one request that changes something. Either create or write or delete is set.
type step struct {
	what   string // for errors, such as `update dashboard "plimsoll-oncall"`
	create bool   // the folder
	write  *wanted
	over   live // what is written over, or deleted
	delete bool
}

// Plan compares a folder with dashboards, all that plimsoll should keep in it, and changes nothing.
//
// Error: there is no dashboard; two have one uid; one is not JSON, lacks Tag or has another uid inside; or Grafana does not answer,
// or not in a way that can be understood. What stands in the way of single dashboards are Conflicts of the plan instead.
func (c *Client) Plan(ctx context.Context, f Folder, dashboards []Dashboard, o PlanOptions) (*Plan, error) {
	if len(dashboards) == 0 && !o.Force {
		return nil, errors.New("the specs ask for no dashboards at all, which would delete those in Grafana: if that is meant, say --force")
	}
	p := &Plan{client: c, folder: f, Plan: output.Plan{Dir: c.api.Base()}}
	_, exists, err := c.folder(ctx, f.UID)
	if err != nil {
		return nil, fmt.Errorf("look for folder %q: %w", f.UID, err)
	}
	if !exists && len(dashboards) > 0 {
		p.Changes = append(p.Changes, output.Change{
			Path: "folders/" + f.UID, Action: output.Create, JSON: true, New: text(map[string]any{"uid": f.UID, "title": f.Title}),
		})
		p.steps = append(p.steps, step{what: fmt.Sprintf("create folder %q", f.UID), create: true})
	}
	uids := map[string]bool{}
	for _, d := range slices.SortedFunc(slices.Values(dashboards), func(a, b Dashboard) int { return cmp.Compare(a.UID, b.UID) }) {
		if uids[d.UID] {
			return nil, fmt.Errorf("want dashboards with a uid each, have two with %q", d.UID)
		}
		uids[d.UID] = true
		if err := p.want(ctx, d, o); err != nil {
			return nil, err
		}
	}
	if exists {
		if err := p.stale(ctx, uids); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(p.Changes, func(a, b output.Change) int { return strings.Compare(a.Path, b.Path) })
	return p, nil
}

// want plans one of our dashboards.
func (p *Plan) want(ctx context.Context, d Dashboard, o PlanOptions) error {
	w, err := newWanted(d)
	if err != nil {
		return err
	}
	have, exists, err := p.client.dashboard(ctx, d.UID)
	if err != nil {
		return fmt.Errorf("look for dashboard %q: %w", d.UID, err)
	}
	c := output.Change{Path: "dashboards/" + d.UID, Action: output.Create, JSON: true, New: text(w.body)}
	if exists {
		c.Action, c.Old = output.Update, text(have.body)
		if have.is(w) && have.untouched() && have.folder == p.folder.UID {
			c.Action = output.Unchanged
		}
		if x := p.conflict(have, w, o); x != nil {
			x.Path, x.Diff = c.Path, string(c.Diff())
			p.Conflicts = append(p.Conflicts, *x)
			return nil
		}
	}
	p.Changes = append(p.Changes, c)
	if c.Action != output.Unchanged {
		p.steps = append(p.steps, step{what: fmt.Sprintf("%s dashboard %q", c.Action, d.UID), write: &w, over: have})
	}
	return nil
}

// conflict says why have cannot be overwritten; nil if it can.
func (p *Plan) conflict(have live, w wanted, o PlanOptions) *output.Conflict {
	const force = "--force overwrites it"
	switch {
	case have.provisioned:
		return &output.Conflict{Reason: "was provisioned from files, which Grafana does not let be changed", Hint: "provide it in one way only"}
	case have.mark == "" && !have.generated:
		return &output.Conflict{Reason: "exists and is not ours: it has no tag of plimsoll", Hint: "choose other uids with --uid, or delete it in Grafana"}
	case o.Force:
		return nil
	case have.mark == "":
		return &output.Conflict{Reason: "was imported from a generated file, not written by apply", Hint: force}
	case !have.untouched() && !have.is(w):
		return &output.Conflict{Reason: have.edited(), Hint: force}
	case have.folder != p.folder.UID:
		return &output.Conflict{
			Reason: fmt.Sprintf("was moved to folder %q since plimsoll wrote it", cmp.Or(have.folder, "General")), Hint: "--force moves it back",
		}
	}
	return nil
}

// stale plans dashboards in the folder that nobody asks for.
func (p *Plan) stale(ctx context.Context, asked map[string]bool) error {
	found, err := p.client.hits(ctx, p.folder.UID)
	if err != nil {
		return fmt.Errorf("list the dashboards of folder %q: %w", p.folder.UID, err)
	}
	slices.Sort(found)
	for _, uid := range slices.Compact(found) {
		if asked[uid] {
			continue
		}
		have, exists, err := p.client.dashboard(ctx, uid)
		if err != nil {
			return fmt.Errorf("look for dashboard %q: %w", uid, err)
		}
		if !exists {
			continue // gone since the search
		}
		c := output.Change{Path: "dashboards/" + uid, Action: output.Keep, JSON: true, Old: text(have.body)}
		switch {
		case have.provisioned:
			c.Reason = "no spec asks for it, but it was provisioned from files"
		case have.mark == "":
			c.Reason = "no spec asks for it, but it was not written by apply"
		case !have.untouched():
			c.Reason = "no spec asks for it, but it was edited since plimsoll wrote it, or is a copy"
		default:
			c.Action, c.Reason = output.Remove, "no spec asks for it"
			p.steps = append(p.steps, step{what: fmt.Sprintf("delete dashboard %q", uid), over: have, delete: true})
		}
		p.Changes = append(p.Changes, c)
	}
	return nil
}

// Apply makes the folder what the plan says: the folder first, then new and changed dashboards, then the stale ones go.
// A plan with conflicts is refused with an *output.ConflictError, and nothing is sent.
//
// Error: Grafana refuses a change, cannot be reached, or has changed since the plan was made. It says what was done and
// what was not; a new plan carries on from there.
func (p *Plan) Apply(ctx context.Context) error {
	if len(p.Conflicts) > 0 {
		return &output.ConflictError{Conflicts: p.Conflicts}
	}
	for i, s := range p.steps {
		if err := p.do(ctx, s); err != nil {
			return fmt.Errorf("%s, after %d of %d changes: %w%s", s.what, i, len(p.steps), err, report(p.steps, i))
		}
	}
	return nil
}

// report says what was done before step n failed, and what was not.
func report(steps []step, n int) string {
	list := func(title string, steps []step) string {
		var names []string
		for _, s := range steps {
			names = append(names, s.what)
		}
		if len(names) == 0 {
			return ""
		}
		return "\n" + title + ": " + strings.Join(names, ", ")
	}
	return list("done", steps[:n]) + list("not done", steps[n:]) + "\nplan and apply again to finish"
}

var errChanged = errors.New("it has changed since the plan was made")

func (p *Plan) do(ctx context.Context, s step) error {
	switch {
	case s.create:
		return p.client.createFolder(ctx, p.folder)
	case s.delete:
		now, exists, err := p.client.dashboard(ctx, s.over.uid)
		switch {
		case err != nil:
			return err
		case !exists:
			return nil
		case now.version != s.over.version || !now.untouched():
			return errChanged
		}
		return p.client.remove(ctx, s.over.uid)
	}
	return p.write(ctx, *s.write, s.over)
}

func (p *Plan) write(ctx context.Context, w wanted, over live) error {
	a, err := p.client.save(ctx, p.folder.UID, w.sent(over))
	if err != nil || a.Status/100 == 2 {
		return err
	}
	if a.Tries > 1 {
		// An earlier try may have done it.
		now, exists, err := p.client.dashboard(ctx, w.uid)
		if err == nil && exists && now.untouched() && now.is(w) && now.folder == p.folder.UID {
			return nil
		}
	}
	err = p.client.api.Refused(http.MethodPost, savePath, a)
	if a.Status == http.StatusPreconditionFailed || a.Status == http.StatusConflict {
		return fmt.Errorf("%w: %w", errChanged, err)
	}
	return err
}
