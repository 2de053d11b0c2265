package pipelines

import (
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
)

// commits are what is known of commits: when each was made, which was before it, and where it has arrived.
// A commit id is the same in every copy of a repository, so it is the key alone.
type commits struct {
	byRevision *counters.Remembered[string, commit]
}

type commit struct {
	base      string // empty if it is the first one or nobody said
	committed time.Time
	targets   []uint32 // where it has arrived, in the order in which it did, at most maxArrivedAt
}

// maxArrivedAt is for how many targets a commit is known to have arrived. In a repository with more services the line of
// an older one ends at its last release, but that of a branch from before that may count commits again.
const maxArrivedAt = 64

func (c *commit) arrive(target uint32) {
	if len(c.targets) >= maxArrivedAt {
		c.targets = slices.Delete(c.targets, 0, 1)
	}
	c.targets = append(c.targets, target)
}

func newCommits(limit int) *commits {
	return &commits{byRevision: counters.NewRemembered[string, commit](limit)}
}

// add notes a commit. A commit that arrives on a second branch keeps the base it had on the first.
func (f *commits) add(c Commit) counters.Verdict {
	if known := f.byRevision.Get(c.Revision); known != nil {
		if known.base != "" || c.Base == "" {
			return counters.Duplicate
		}
		known.base = c.Base
		return counters.Counted
	}
	known, _ := f.byRevision.Heard(c.Revision, c.Observed)
	known.base, known.committed = c.Base, c.Committed
	return counters.Counted
}

// arrivedAt tells whether the commit is known to have arrived at a target.
func (f *commits) arrivedAt(revision string, target uint32) bool {
	c := f.byRevision.Get(revision)
	return c != nil && slices.Contains(c.targets, target)
}

// line returns the commits from a revision back to the first one that has arrived at the target, that stop says has
// come as part of another release, or before which nothing is known. missing is the revision of the commit that would
// have to be known to go on, or empty if there is none.
func (f *commits) line(revision string, target uint32, stop func(revision string) bool) (line []*commit, missing string) {
	at, passed := revision, map[string]bool{} // bases may be a ring
	for at != "" && !passed[at] && (at == revision || !stop(at)) {
		passed[at] = true
		c := f.byRevision.Get(at)
		if c == nil {
			return line, at
		}
		if slices.Contains(c.targets, target) {
			return line, ""
		}
		line = append(line, c)
		at = c.base
	}
	return line, ""
}
