package ruler

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// PlanOptions are the choices of Client.Plan; the zero value is the safe one.
type PlanOptions struct {
	Force bool // replace groups of others that have the name of one of ours; allow to delete all groups
}

// Plan is the difference between a namespace and the groups that it should hold.
type Plan struct {
	// Plan shows the difference, a group being a file: Dir is the URL of the namespace, and the texts are the groups
	// in the manner of a rule file. Its own Apply is not to be called.
	output.Plan

	client    *Client
	namespace string
	groups    []group // to create or update, in the order given to Client.Plan
	stale     []string
}

// Plan compares a namespace with groups, all that it should hold, in order of evaluation, and changes nothing.
//
// Error: there is no namespace or no group; two groups have one name; or the ruler does not answer, or not in a way that can be understood.
// Groups of others that stand in the way are Conflicts of the plan instead.
func (c *Client) Plan(ctx context.Context, namespace string, groups []rules.Group, o PlanOptions) (*Plan, error) {
	if namespace == "" {
		return nil, errors.New("want a namespace, have none")
	}
	if len(groups) == 0 && !o.Force {
		return nil, errors.New("the specs ask for no rules at all, which would delete those of the namespace: if that is meant, say --force")
	}
	have, err := c.groups(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("list the groups of namespace %q: %w", namespace, err)
	}
	p := &Plan{client: c, namespace: namespace, Plan: output.Plan{Dir: c.api.Base() + c.prefix + "/" + namespace}}
	old := map[string]group{}
	for _, g := range have {
		old[g.name()] = g
	}
	for _, g := range groups {
		now := newGroup(g)
		if now.foreign() != "" {
			return nil, fmt.Errorf("group %q would not be known as written by plimsoll: %s", g.Name, now.foreign())
		}
		if slices.ContainsFunc(p.Changes, func(x output.Change) bool { return x.Path == g.Name }) {
			return nil, fmt.Errorf("want groups with a name each, have two named %q", g.Name)
		}
		was, exists := old[g.Name]
		delete(old, g.Name)
		p.add(was, now, exists, o)
	}
	for _, g := range have {
		if _, left := old[g.name()]; left {
			p.leave(g)
		}
	}
	slices.SortFunc(p.Changes, func(a, b output.Change) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(p.Conflicts, func(a, b output.Conflict) int { return strings.Compare(a.Path, b.Path) })
	return p, nil
}

// add plans one of our groups.
func (p *Plan) add(was, now group, exists bool, o PlanOptions) {
	c := output.Change{Path: now.name(), Action: output.Create, New: now.text()}
	if exists {
		if c.Action, c.Old = output.Update, was.text(); bytes.Equal(c.Old, c.New) {
			c.Action = output.Unchanged
		}
		if why := was.foreign(); why != "" && !o.Force {
			p.Conflicts = append(p.Conflicts, output.Conflict{
				Path: now.name(), Reason: "the namespace has a group of this name that is not ours: " + why,
				Hint: "choose another namespace, or replace the group with --force",
			})
			return
		}
	}
	if c.Action != output.Unchanged {
		p.groups = append(p.groups, now)
	}
	p.Changes = append(p.Changes, c)
}

// leave plans a group that nobody asks for.
func (p *Plan) leave(g group) {
	c := output.Change{Path: g.name(), Action: output.Remove, Reason: "no spec asks for it", Old: g.text()}
	if why := g.foreign(); why != "" {
		c.Action, c.Reason = output.Keep, "not ours: "+why
	} else {
		p.stale = append(p.stale, g.name())
	}
	p.Changes = append(p.Changes, c)
}

// Apply makes the namespace what the plan says: new and changed groups first, then the stale ones go. A plan with
// conflicts is refused with an *output.ConflictError, and nothing is sent.
//
// Error: the ruler refuses a group, or cannot be reached; it says how many changes were made, and a new plan carries on
// from there.
func (p *Plan) Apply(ctx context.Context) error {
	if len(p.Conflicts) > 0 {
		return &output.ConflictError{Conflicts: p.Conflicts}
	}
	done := 0
	for _, g := range p.groups {
		if err := p.client.set(ctx, p.namespace, g); err != nil {
			return p.failed("write", g.name(), done, err)
		}
		done++
	}
	for _, name := range p.stale {
		if err := p.client.remove(ctx, p.namespace, name); err != nil {
			return p.failed("delete", name, done, err)
		}
		done++
	}
	return nil
}

func (p *Plan) failed(what, name string, done int, err error) error {
	return fmt.Errorf("%s group %q of namespace %q, after %d of %d changes: %w",
		what, name, p.namespace, done, cmp.Or(len(p.groups)+len(p.stale), 1), err)
}
