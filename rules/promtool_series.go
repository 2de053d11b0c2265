package rules

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// onlySelector returns the selector of a query that is nothing else, or one aggregation of it that is the same for a
// single series.
func onlySelector(query string) (promql.Selector, bool) {
	e, problems := promql.Parse(query)
	all := e.Selectors()
	if len(problems) > 0 || len(all) != 1 || all[0].Name == "" {
		return promql.Selector{}, false
	}
	s := all[0]
	rest := query[:s.Off] + "S" + query[s.Off+s.Len:]
	if a, ok := e.Aggregation(); ok && slices.Contains([]string{"sum", "min", "max", "avg"}, a.Op) {
		rest = strings.TrimPrefix(rest, a.Op)
		if len(a.Labels) > 0 {
			return s, len(s.Under) == 1 && s.Range == 0 && s.Offset == 0 && !s.HasAt
		}
	}
	return s, strings.Trim(rest, "() ") == "S"
}

// exampleSeries returns a series that satisfies all matchers, with the labels that group x and those of more.
func exampleSeries(x *slo.SLO, name string, ms []promql.Matcher, more map[string]string) (string, bool) {
	labels := map[string]string{}
	for _, l := range x.GroupBy {
		labels[l] = "example"
	}
	for _, m := range ms {
		if v, free := labels[m.Name]; free && v != "" && satisfies(v, m.Name, ms) {
			continue
		}
		v, ok := exampleValue(m.Name, ms, nil, slices.Contains(x.GroupBy, m.Name))
		if !ok {
			return "", false
		}
		labels[m.Name] = v
	}
	for k, v := range more {
		labels[k] = v
	}
	for k := range labels {
		if !identifier(k) {
			return "", false
		}
	}
	return seriesText(name, labels), identifier(strings.ReplaceAll(name, ":", "_"))
}

// exampleOutside returns a series of all that is not one of some. good says that some are the good events.
func exampleOutside(x *slo.SLO, all, some promql.Selector, good bool) (string, bool) {
	words, code := []string{"ok", "success", "other"}, "200"
	if good {
		words, code = []string{"error", "failure", "other"}, "500"
	}
	for _, m := range some.Matchers {
		try := append(slices.Clone(words), code, "")
		if strings.Contains(m.Name, "code") || strings.Contains(m.Name, "status") {
			try = append([]string{code}, try...)
		}
		for _, v := range try {
			if satisfies(v, m.Name, all.Matchers) && !satisfies(v, m.Name, some.Matchers) {
				if v == "" && slices.Contains(x.GroupBy, m.Name) {
					continue
				}
				others := slices.DeleteFunc(slices.Clone(all.Matchers), func(o promql.Matcher) bool { return o.Name == m.Name })
				return exampleSeries(x, all.Name, others, map[string]string{m.Name: v})
			}
		}
	}
	return "", false
}

// exampleValue returns a value of a label that satisfies all matchers of that label: no value if possible, unless
// the label is needed.
func exampleValue(label string, ms []promql.Matcher, more []string, needed bool) (string, bool) {
	try := append([]string{""}, more...)
	for _, m := range ms {
		if m.Name != label {
			continue
		}
		switch m.Op {
		case promql.Equal:
			try = append(try, m.Value)
		case promql.Regexp:
			if v, ok := regexpExample(m.Value); ok {
				try = append(try, v)
			}
		}
	}
	for _, v := range append(try, "example", "other", "0") {
		if satisfies(v, label, ms) && (v != "" || !needed) {
			return v, true
		}
	}
	return "", false
}

// satisfies tells whether a value of a label satisfies all matchers of that label.
func satisfies(v, label string, ms []promql.Matcher) bool {
	for _, m := range ms {
		if m.Name != label {
			continue
		}
		var yes bool
		switch m.Op {
		case promql.Equal, promql.NotEqual:
			yes = v == m.Value
		default:
			re, err := regexp.Compile("^(?s:" + m.Value + ")$")
			if err != nil {
				return false
			}
			yes = re.MatchString(v)
		}
		if yes != (m.Op == promql.Equal || m.Op == promql.Regexp) {
			return false
		}
	}
	return true
}

// regexpExample returns a short text that a regular expression matches as a whole. It may be wrong for expressions
// with word boundaries or line anchors; the caller checks.
func regexpExample(expr string) (string, bool) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	ok := writeExample(&b, re.Simplify())
	return b.String(), ok
}

func writeExample(b *strings.Builder, re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpNoMatch:
		return false
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('0')
	case syntax.OpCharClass:
		r, ok := runeOf(re.Rune)
		b.WriteRune(r)
		return ok
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !writeExample(b, sub) {
				return false
			}
		}
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return writeExample(b, re.Sub[0])
	}
	return true // what is left matches nothing, too
}

// runeOf returns a letter or digit of a class given as pairs of bounds, else its first character.
func runeOf(class []rune) (rune, bool) {
	for _, r := range "0aAx-_ " {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= r && r <= class[i+1] {
				return r, true
			}
		}
	}
	if len(class) == 0 || class[0] < ' ' {
		return 0, false
	}
	return class[0], true
}
