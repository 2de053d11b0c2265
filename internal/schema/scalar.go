package schema

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// Scalar types keep the place where they were written; At is zero when they
// were not.

// Text is a string, one of Rule.Enum if that is set.
type Text struct {
	V  string
	At yamlsrc.Value
}

// Read implements Reader.
func (t *Text) Read(v yamlsrc.Value, r Rule) diag.List {
	t.At = v
	if l := wantString(v); l != nil {
		return l
	}
	t.V = v.Text()
	if strings.TrimSpace(t.V) == "" {
		return diag.List{v.Error(diag.WrongValue, "the text is empty", "give it a value or remove the key")}
	}
	return oneOfEnum(v, t.V, r)
}

// Describe implements Reader.
func (*Text) Describe(r Rule) map[string]any {
	m := map[string]any{"type": "string", "minLength": 1}
	if len(r.Enum) > 0 {
		m["enum"] = r.Enum
	}
	return m
}

func wantString(v yamlsrc.Value) diag.List {
	switch k := v.Kind(); k {
	case yamlsrc.String:
		return nil
	case yamlsrc.Bool, yamlsrc.Number:
		return diag.List{v.Error(diag.WrongType, fmt.Sprintf("want a string, have %s", k), fmt.Sprintf("write %q in quotes", v.Text()))}
	default:
		hint := ""
		if v.Flow() {
			hint = "a value that starts with { or [ needs quotes to be a string"
		}
		return diag.List{v.Error(diag.WrongType, fmt.Sprintf("want a string, have %s", k), hint)}
	}
}

// Name is the name of an object, or a reference to one when Rule.Ref is set.
type Name struct {
	V  string
	At yamlsrc.Value
}

const namePattern = `^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`

var nameRE = regexp.MustCompile(namePattern)

// Read implements Reader.
func (n *Name) Read(v yamlsrc.Value, _ Rule) diag.List {
	n.At = v
	if l := wantString(v); l != nil {
		return l
	}
	if !nameRE.MatchString(v.Text()) {
		hint := "use lower-case letters, digits and -, starting with a letter, at most 63"
		if s := slug(v.Text()); s != "" {
			hint += fmt.Sprintf("; for example %s", s)
		}
		return diag.List{v.Error(diag.BadName, fmt.Sprintf("%q is not a name", v.Text()), hint)}
	}
	n.V = v.Text()
	return nil
}

// Describe implements Reader.
func (*Name) Describe(Rule) map[string]any {
	return map[string]any{"type": "string", "pattern": namePattern}
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// slug returns the name that s probably stands for, or "".
func slug(s string) string {
	s = strings.Trim(notName.ReplaceAllString(strings.ToLower(s), "-"), "-")
	if !nameRE.MatchString(s) {
		return ""
	}
	return s
}

// Duration is a length of time in Prometheus notation: "30d", "1h30m".
type Duration struct {
	V  time.Duration
	At yamlsrc.Value
}

// Read implements Reader.
func (d *Duration) Read(v yamlsrc.Value, r Rule) diag.List {
	d.At = v
	if k := v.Kind(); k != yamlsrc.String {
		return diag.List{v.Error(diag.BadDuration, fmt.Sprintf("want a duration, have %s", k), `write a number with a unit, for example "300ms", "5m", "1h30m" or "30d"`)}
	}
	x, err := promql.ParseDuration(v.Text())
	if err != nil || x <= 0 {
		return diag.List{v.Error(diag.BadDuration, fmt.Sprintf("%q is not a duration", v.Text()), `write a number with a unit (ms, s, m, h, d, w), for example "300ms", "5m", "1h30m" or "30d"`)}
	}
	if lo, err := promql.ParseDuration(r.Min); r.Min != "" && err == nil && x < lo {
		return diag.List{v.Error(diag.BadDuration, fmt.Sprintf("%s is shorter than %s", v.Text(), r.Min), "")}
	}
	if hi, err := promql.ParseDuration(r.Max); r.Max != "" && err == nil && x > hi {
		return diag.List{v.Error(diag.BadDuration, fmt.Sprintf("%s is longer than %s", v.Text(), r.Max), "")}
	}
	d.V = x
	return nil
}

// Describe implements Reader.
func (*Duration) Describe(Rule) map[string]any {
	return map[string]any{"type": "string", "pattern": `^([0-9]+(ms|s|m|h|d|w|y))+$`}
}

// Bool is true or false.
type Bool struct {
	V  bool
	At yamlsrc.Value
}

// Read implements Reader.
func (b *Bool) Read(v yamlsrc.Value, _ Rule) diag.List {
	b.At = v
	if v.Kind() != yamlsrc.Bool {
		return diag.List{v.Error(diag.WrongType, fmt.Sprintf("want true or false, have %s", written(v)), "write true or false without quotes")}
	}
	b.V = strings.EqualFold(v.Text(), "true")
	return nil
}

// Describe implements Reader.
func (*Bool) Describe(Rule) map[string]any { return map[string]any{"type": "boolean"} }

// Decimal is an exact decimal number. V is nil when the field is not written
// or wrong.
type Decimal struct {
	V  *big.Rat
	At yamlsrc.Value
}

var decimalRE = regexp.MustCompile(`^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$`)

// Read implements Reader.
func (d *Decimal) Read(v yamlsrc.Value, r Rule) diag.List {
	d.At = v
	if k := v.Kind(); k != yamlsrc.Number && k != yamlsrc.String || !decimalRE.MatchString(v.Text()) {
		return diag.List{v.Error(diag.BadNumber, fmt.Sprintf("want a decimal number, have %s", written(v)), "write digits with at most one point, for example 12000.50")}
	}
	x, _ := new(big.Rat).SetString(v.Text())
	if l := bounds(v, x, r); l != nil {
		return l
	}
	d.V = x
	return nil
}

func written(v yamlsrc.Value) string {
	if t := v.Text(); t != "" {
		return strconv.Quote(t)
	}
	return v.Kind().String()
}

func bounds(v yamlsrc.Value, x *big.Rat, r Rule) diag.List {
	if lo, ok := new(big.Rat).SetString(r.Min); ok && x.Cmp(lo) < 0 {
		return diag.List{v.Error(diag.BadNumber, fmt.Sprintf("%s is less than %s", v.Text(), r.Min), "")}
	}
	if hi, ok := new(big.Rat).SetString(r.Max); ok && x.Cmp(hi) > 0 {
		return diag.List{v.Error(diag.BadNumber, fmt.Sprintf("%s is more than %s", v.Text(), r.Max), "")}
	}
	return nil
}

// Describe implements Reader.
func (*Decimal) Describe(r Rule) map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "number"},
		map[string]any{"type": "string", "pattern": decimalRE.String()},
	}}
}

// Share is an exact part of a whole. "99.9%" is a percentage; a number without
// a sign is a fraction. V is nil when the field is not written or wrong.
type Share struct {
	V  *big.Rat
	At yamlsrc.Value
}

// Read implements Reader.
func (s *Share) Read(v yamlsrc.Value, r Rule) diag.List {
	s.At = v
	text, percent := strings.CutSuffix(strings.TrimSpace(v.Text()), "%")
	text = strings.TrimSpace(text)
	if k := v.Kind(); k != yamlsrc.Number && k != yamlsrc.String || !decimalRE.MatchString(text) {
		return diag.List{v.Error(diag.BadNumber, fmt.Sprintf("want a percentage or a fraction, have %s", written(v)), `write "99.9%" or 0.999`)}
	}
	x, _ := new(big.Rat).SetString(text)
	if one := big.NewRat(1, 1); !percent && x.Cmp(one) >= 0 {
		hint := fmt.Sprintf("write \"%s%%\"", text)
		if x.Cmp(one) == 0 {
			hint = `write "100%" or "1%"`
		}
		return diag.List{v.Error(diag.ObjectiveUnit, fmt.Sprintf("%s does not say its unit: a number without %% is a fraction below 1", text), hint)}
	}
	if percent {
		x.Quo(x, big.NewRat(100, 1))
	}
	if x.Sign() < 0 || x.Cmp(big.NewRat(1, 1)) > 0 {
		return diag.List{v.Error(diag.ObjectiveRange, fmt.Sprintf("%s is not between 0%% and 100%%", v.Text()), "")}
	}
	if lo, ok := new(big.Rat).SetString(r.Min); ok && x.Cmp(lo) < 0 {
		return diag.List{v.Error(diag.ObjectiveRange, fmt.Sprintf("%s is less than %s", v.Text(), percentText(lo)), "")}
	}
	s.V = x
	return nil
}

// percentText writes a fraction as a percentage without loss.
func percentText(x *big.Rat) string {
	p := new(big.Rat).Mul(x, big.NewRat(100, 1))
	return strings.TrimSuffix(strings.TrimRight(p.FloatString(15), "0"), ".") + "%"
}

// Describe implements Reader.
func (*Share) Describe(Rule) map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "pattern": `^ *[+]?[0-9]{1,15}(\.[0-9]{1,15})? *% *$`},
		map[string]any{"type": "string", "pattern": `^ *[+]?0(\.[0-9]{1,15})? *$`},
		map[string]any{"type": "number", "minimum": 0, "exclusiveMaximum": 1},
	}}
}

// Time is an instant in RFC 3339, in the years 2000 to 2199.
type Time struct {
	V  time.Time
	At yamlsrc.Value
}

// Read implements Reader.
func (t *Time) Read(v yamlsrc.Value, _ Rule) diag.List {
	t.At = v
	x, err := time.Parse(time.RFC3339, v.Text())
	if err != nil {
		return diag.List{v.Error(diag.BadTime, fmt.Sprintf("%s is not a time", written(v)), "write RFC 3339 with a zone, for example 2026-03-01T02:00:00Z")}
	}
	if y := x.UTC().Year(); y < 2000 || y > 2199 {
		return diag.List{v.Error(diag.BadTime, fmt.Sprintf("the year of %s is not between 2000 and 2199", v.Text()), "")}
	}
	t.V = x.UTC()
	return nil
}

// Describe implements Reader.
func (*Time) Describe(Rule) map[string]any {
	return map[string]any{"type": "string", "format": "date-time"}
}
