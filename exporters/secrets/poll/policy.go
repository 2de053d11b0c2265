package poll

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// Entry is one secret of a policy file.
type Entry struct {
	Name      string
	Owner     string
	Interval  time.Duration
	Window    time.Duration
	Grace     time.Duration
	Paused    bool
	Rotated   time.Time // last rotation, if the policy itself says; zero if not
	Read      string    // file that a command wrote, if that says
	RotatedAt string    // JSON Pointer to the time of the last rotation in it; empty: the file is the time
	Refreshed string    // JSON Pointer to when consumers last loaded the secret; empty: not told
}

// entryFields has the fields of an entry in the order in which messages list them.
func entryFields() []string {
	return []string{"name", "owner", "interval", "window", "grace", "paused", "rotated", "read", "rotated_at", "refreshed_at"}
}

// ReadPolicy reads a policy file: a mapping whose field secrets is a list of entries. file is its name in messages. It
// reports everything that is wrong; entries that are right are returned nevertheless.
func ReadPolicy(file string, b []byte) ([]Entry, diag.List) {
	docs, list := yamlsrc.Parse(file, b)
	if len(list) > 0 {
		return nil, list
	}
	p := policyReader{names: map[string]yamlsrc.Value{}}
	for _, doc := range docs {
		p.document(doc)
	}
	if len(docs) == 0 {
		p.list.Add(diag.Diag{Sev: diag.Error, Code: diag.MissingField, Pos: diag.Pos{File: file}, Msg: "want a field secrets, have an empty file"})
	}
	p.list.Sort()
	return p.entries, p.list
}

type policyReader struct {
	entries []Entry
	names   map[string]yamlsrc.Value
	list    diag.List
}

func (p *policyReader) add(d diag.Diag) { p.list.Add(d) }

func (p *policyReader) document(v yamlsrc.Value) {
	fields, ok := p.fields(v, "the policy", []string{"secrets"})
	if !ok {
		return
	}
	all, ok := fields["secrets"]
	if !ok {
		p.add(v.Error(diag.MissingField, "secrets is missing", "add a list of secrets"))
		return
	}
	if all.Kind() != yamlsrc.Sequence {
		p.add(all.Error(diag.WrongType, fmt.Sprintf("want secrets to be a list, have %s", all.Kind()), ""))
		return
	}
	for _, item := range all.Items() {
		before := len(p.list)
		if e := p.entry(item); len(p.list) == before {
			p.entries = append(p.entries, e)
		}
	}
}

// fields returns the values of a mapping that may have some fields.
func (p *policyReader) fields(v yamlsrc.Value, what string, may []string) (map[string]yamlsrc.Value, bool) {
	if v.Kind() != yamlsrc.Mapping {
		p.add(v.Error(diag.WrongType, fmt.Sprintf("want %s to be a mapping, have %s", what, v.Kind()), "fields: "+strings.Join(may, ", ")))
		return nil, false
	}
	fields, list := v.Fields()
	p.list = append(p.list, list...)
	values := map[string]yamlsrc.Value{}
	for _, f := range fields {
		if !slices.Contains(may, f.Name) {
			p.add(f.Key.Error(diag.UnknownField, fmt.Sprintf("unknown field %q", f.Name), "fields here: "+strings.Join(may, ", ")))
			continue
		}
		values[f.Name] = f.Value
	}
	return values, true
}

func (p *policyReader) entry(v yamlsrc.Value) (e Entry) {
	fields, ok := p.fields(v, "an item of secrets", entryFields())
	if !ok {
		return e
	}
	for name, into := range map[string]*string{
		"name": &e.Name, "owner": &e.Owner, "read": &e.Read, "rotated_at": &e.RotatedAt, "refreshed_at": &e.Refreshed,
	} {
		if f, ok := fields[name]; ok {
			*into = p.text(f, name)
		}
	}
	for name, into := range map[string]*time.Duration{"interval": &e.Interval, "window": &e.Window, "grace": &e.Grace} {
		if f, ok := fields[name]; ok {
			d, err := parseSpan(f.Text())
			if err != nil {
				p.add(f.Error(diag.BadDuration, fmt.Sprintf("%s: %v", name, err), `write for example "90d" or "36h"`))
			}
			*into = d
		}
	}
	if f, ok := fields["paused"]; ok {
		e.Paused = f.Text() == "true"
		if f.Kind() != yamlsrc.Bool {
			p.add(f.Error(diag.WrongType, fmt.Sprintf("want paused to be true or false, have %s", f.Kind()), ""))
		}
	}
	if f, ok := fields["rotated"]; ok {
		at, err := parseTime(f.Text())
		if err != nil {
			p.add(f.Error(diag.BadTime, "rotated is not a time", "write for example 2026-05-01T12:00:00Z or 2026-05-01"))
		}
		e.Rotated = at
	}
	p.whole(v, fields, e)
	return e
}

// whole checks what concerns several fields of an entry.
func (p *policyReader) whole(v yamlsrc.Value, fields map[string]yamlsrc.Value, e Entry) {
	for _, name := range []string{"name", "interval"} {
		if _, ok := fields[name]; !ok {
			p.add(v.Error(diag.MissingField, name+" is missing", ""))
		}
	}
	_, rotated := fields["rotated"]
	_, read := fields["read"]
	if rotated && read {
		p.add(fields["read"].Error(diag.OneOf, "want one of rotated and read, have both", ""))
	}
	for _, name := range []string{"rotated_at", "refreshed_at"} {
		f, ok := fields[name]
		if ok && !read {
			p.add(f.Error(diag.MissingField, name+" is a place in a file, and read is missing", ""))
		}
		if ok && !strings.HasPrefix(f.Text(), "/") {
			p.add(f.Error(diag.WrongValue, name+" is not a JSON Pointer", "write for example /LastRotatedDate"))
		}
	}
	if f, ok := fields["name"]; ok && e.Name != "" {
		if first, taken := p.names[e.Name]; taken {
			d := f.Error(diag.DuplicateName, "a secret of this name is there already", "")
			d.Related = &diag.Related{Pos: first.Pos(), Msg: "the first one"}
			p.add(d)
		}
		p.names[e.Name] = f
	}
}

func (p *policyReader) text(v yamlsrc.Value, name string) string {
	text := event.Clean(v.Text())
	switch {
	case v.Kind() != yamlsrc.String:
		p.add(v.Error(diag.WrongType, fmt.Sprintf("want %s to be a string, have %s", name, v.Kind()), ""))
	case name == "read":
		return v.Text()
	case text == "" || text != v.Text():
		p.add(v.Error(diag.WrongValue, fmt.Sprintf("%s is empty, too long, or has control characters", name), ""))
	}
	return text
}
