package schema

import (
	"fmt"
	"regexp"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// Labels is a mapping from label names to strings, with the place of each
// value, sorted by nothing: in the order written.
type Labels struct {
	V  []Label
	At yamlsrc.Value
}

// Label is one entry of Labels.
type Label struct {
	Name, Value string
	Key, At     yamlsrc.Value // places of name and value
}

const labelPattern = `^[a-zA-Z_][a-zA-Z0-9_]{0,62}$`

var labelRE = regexp.MustCompile(labelPattern)

// Read implements Reader.
func (m *Labels) Read(v yamlsrc.Value, _ Rule) diag.List {
	m.At = v
	if v.Kind() != yamlsrc.Mapping {
		return diag.List{v.Error(diag.WrongType, fmt.Sprintf("want a mapping from names to strings, have %s", v.Kind()), "")}
	}
	fields, l := v.Fields()
	for _, f := range fields {
		switch {
		case !labelRE.MatchString(f.Name):
			l.Add(f.Key.Error(diag.BadLabel, fmt.Sprintf("%q is not a label name", f.Name), "use letters, digits and _, not starting with a digit, at most 63"))
		case f.Value.Kind() != yamlsrc.String:
			l = append(l, wantString(f.Value)...)
		case len(f.Value.Text()) > maxLabelValue:
			l.Add(f.Value.Error(diag.BadLabel, fmt.Sprintf("the value of label %s has more than %d bytes", f.Name, maxLabelValue), ""))
		default:
			m.V = append(m.V, Label{f.Name, f.Value.Text(), f.Key, f.Value})
		}
	}
	return l
}

// maxLabelValue bounds the length of a label value in bytes.
const maxLabelValue = 1024

// Describe implements Reader.
func (*Labels) Describe(Rule) map[string]any {
	return map[string]any{
		"type": "object", "propertyNames": map[string]any{"pattern": labelPattern},
		"additionalProperties": map[string]any{"type": "string", "maxLength": maxLabelValue},
	}
}

// LabelName is the name of a Prometheus label.
type LabelName struct {
	V  string
	At yamlsrc.Value
}

// Read implements Reader.
func (n *LabelName) Read(v yamlsrc.Value, _ Rule) diag.List {
	n.At = v
	if l := wantString(v); l != nil {
		return l
	}
	if !labelRE.MatchString(v.Text()) {
		return diag.List{v.Error(diag.BadLabel, fmt.Sprintf("%q is not a label name", v.Text()), "use letters, digits and _, not starting with a digit, at most 63")}
	}
	n.V = v.Text()
	return nil
}

// Describe implements Reader.
func (*LabelName) Describe(Rule) map[string]any {
	return map[string]any{"type": "string", "pattern": labelPattern}
}
