package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// WriteDiff writes the creates, updates and removals as one unified diff, in order of path, that
// `patch -p0` inside Dir turns into the same change. It writes nothing if nothing changes.
// Leftovers of an interrupted apply are removed without being shown. It is silent about conflicts.
func (p *Plan) WriteDiff(w io.Writer) error {
	for _, c := range p.Changes {
		if _, err := w.Write(c.Diff()); err != nil {
			return err
		}
	}
	return nil
}

// WriteConflicts writes, for each conflict over JSON, what overwriting it would change. It is no patch.
func (p *Plan) WriteConflicts(w io.Writer) error {
	for _, c := range p.Conflicts {
		if _, err := io.WriteString(w, c.Diff); err != nil {
			return err
		}
	}
	return nil
}

// Diff returns the change as a unified diff with three lines of context; nil if no bytes change. An update of JSON is
// shown by the paths of its values.
func (c Change) Diff() []byte {
	oldName, newName := c.Path, c.Path
	switch c.Action {
	case Create:
		oldName = "/dev/null"
	case Remove:
		newName = "/dev/null"
		if strings.Contains(c.Path, tempPrefix) {
			return nil
		}
	case Update:
		if c.JSON {
			return []byte(differences(c.Path, c.Old, c.New))
		}
	case Unchanged, Keep:
		return nil
	}
	return diff.Diff(oldName, c.Old, newName, c.New)
}

// Result returns Summary in the past tense, for after Apply: "1 created, 2 updated, 0 removed, 40 unchanged".
func (p *Plan) Result() string {
	return strings.NewReplacer("to create", "created", "to update", "updated", "to remove", "removed").Replace(p.Summary())
}

// Summary returns one line such as "1 to create, 2 to update, 0 to remove, 40 unchanged", followed by
// the number of kept files and of conflicts where there are any. It has no newline at its end.
func (p *Plan) Summary() string {
	n := p.count()
	s := fmt.Sprintf("%d to create, %d to update, %d to remove, %d unchanged", n[Create], n[Update], n[Remove], n[Unchanged])
	if n[Keep] > 0 {
		s += fmt.Sprintf(", %d kept", n[Keep])
	}
	if len(p.Conflicts) > 0 {
		s += fmt.Sprintf(", %d in conflict", len(p.Conflicts))
	}
	return s
}

func (p *Plan) count() map[Action]int {
	n := map[Action]int{}
	for _, c := range p.Changes {
		n[c.Action]++
	}
	return n
}

// jsonPlan is the documented machine form of a plan, see Plan.WriteJSON.
type jsonPlan struct {
	Schema    string         `json:"schema"`
	Dir       string         `json:"dir"`
	Changed   bool           `json:"changed"`
	Changes   []jsonChange   `json:"changes"`
	Conflicts []jsonConflict `json:"conflicts"`
}

type jsonChange struct {
	Path   string    `json:"path"`
	Action Action    `json:"action"`
	Reason string    `json:"reason,omitempty"`
	Before *jsonFile `json:"before,omitempty"`
	After  *jsonFile `json:"after,omitempty"`
	Diff   string    `json:"diff,omitempty"`
}

type jsonFile struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

type jsonConflict struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
	Diff   string `json:"diff,omitempty"`
}

// WriteJSON writes the plan as one indented JSON object with the keys
//
//	schema     "plimsoll.plan/v1"
//	dir        the target directory, as given to NewPlan
//	changed    whether an apply would create, update or remove a file
//	changes    every file, sorted by path: path, action (create, update, remove, unchanged, keep), reason
//	           (remove and keep), before and after (bytes, sha256; absent where there is no file), diff
//	conflicts  what makes apply refuse, sorted by path: path, reason, hint, diff (of JSON)
//
// Both lists are present even if empty. Later versions may add keys.
func (p *Plan) WriteJSON(w io.Writer) error {
	out := jsonPlan{
		Schema: "plimsoll.plan/v1", Dir: p.Dir, Changed: p.Changed(),
		Changes: []jsonChange{}, Conflicts: []jsonConflict{},
	}
	for _, c := range p.Changes {
		j := jsonChange{Path: c.Path, Action: c.Action, Reason: c.Reason, Diff: string(c.Diff())}
		if c.Action != Create {
			j.Before = &jsonFile{len(c.Old), sum(c.Old)}
		}
		switch c.Action {
		case Create, Update, Unchanged:
			j.After = &jsonFile{len(c.New), sum(c.New)}
		case Keep:
			j.After = j.Before
		case Remove:
		}
		out.Changes = append(out.Changes, j)
	}
	for _, c := range p.Conflicts {
		out.Conflicts = append(out.Conflicts, jsonConflict(c))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
