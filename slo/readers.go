package slo

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// Limits of a query: its length in bytes, its depth, and its selectors, with
// whose square the time of checks grows.
const (
	maxQuery     = 3 << 10
	maxNesting   = 64
	maxSelectors = 100
)

// nesting returns how many parentheses are open at the same time at most.
// Those in strings count too.
func nesting(q string) int {
	depth, most := 0, 0
	for i := range len(q) {
		switch q[i] {
		case '(':
			depth++
			most = max(most, depth)
		case ')':
			depth--
		}
	}
	return most
}

// query is a PromQL expression. ok is false when it is not written or wrong.
type query struct {
	schema.Text
	expr      promql.Expr
	canonical string // text of expr
	selectors []promql.Selector
	ok        bool
}

// Read implements schema.Reader.
func (q *query) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := q.Text.Read(v, r); l != nil {
		return l
	}
	if len(q.V) > maxQuery || nesting(q.V) > maxNesting {
		return diag.List{v.Error(diag.PromQLSyntax, fmt.Sprintf("the query has more than %d bytes or %d levels of parentheses", maxQuery, maxNesting), "record a part of it with a rule of its own")}
	}
	expr, problems := promql.Parse(q.V)
	if len(problems) == 0 {
		if q.selectors = expr.Selectors(); len(q.selectors) > maxSelectors {
			return diag.List{v.Error(diag.PromQLSyntax, fmt.Sprintf("the query has more than %d selectors", maxSelectors), "record a part of it with a rule of its own")}
		}
		q.expr, q.canonical, q.ok = expr, expr.String(), true
		return nil
	}
	var l diag.List
	for _, p := range problems {
		code := diag.PromQLSyntax
		if strings.Contains(p.Msg, "placeholder") || strings.Contains(p.Msg, "template variable") {
			code = diag.PromQLPlaceholder
		}
		l.Add(q.at(diag.Error, code, p))
	}
	return l
}

// at returns a finding at the place of a problem inside the query.
func (q *query) at(sev diag.Severity, code diag.Code, p promql.Problem) diag.Diag {
	pos, n := q.At.Span(p.Off, p.Len)
	return diag.Diag{Sev: sev, Code: code, Pos: pos, Len: n, Msg: p.Msg, Hint: p.Hint}
}

// share is an objective: a schema.Share above zero that also takes 100%.
type share struct{ schema.Share }

// Read implements schema.Reader.
func (s *share) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := s.Share.Read(v, r); l != nil {
		return l
	}
	if s.V.Sign() == 0 {
		s.V = nil
		return diag.List{v.Error(diag.ObjectiveRange, "an objective of 0% promises nothing", `write "99.9%" for three nines`)}
	}
	return nil
}

// zone is an IANA time zone.
type zone struct{ schema.Text }

// Read implements schema.Reader.
func (z *zone) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := z.Text.Read(v, r); l != nil {
		return l
	}
	if _, err := time.LoadLocation(z.V); err != nil || z.V == "Local" {
		d := v.Error(diag.BadTimeZone, fmt.Sprintf("time zone %q does not exist", z.V), "write an IANA name such as Europe/Berlin or UTC")
		if s := schema.Closest(z.V, commonZones()); s != "" {
			d.Hint = fmt.Sprintf("did you mean %q?", s)
		}
		z.V = ""
		return diag.List{d}
	}
	return nil
}

// commonZones are the names that a misspelt zone is compared with.
func commonZones() []string {
	return strings.Fields(`UTC Africa/Cairo Africa/Johannesburg Africa/Lagos Africa/Nairobi America/Argentina/Buenos_Aires
		America/Bogota America/Chicago America/Denver America/Halifax America/Lima America/Los_Angeles America/Mexico_City
		America/New_York America/Phoenix America/Santiago America/Sao_Paulo America/Toronto America/Vancouver Asia/Bangkok
		Asia/Dhaka Asia/Dubai Asia/Ho_Chi_Minh Asia/Hong_Kong Asia/Istanbul Asia/Jakarta Asia/Jerusalem Asia/Karachi
		Asia/Kathmandu Asia/Kolkata Asia/Manila Asia/Riyadh Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Taipei Asia/Tokyo
		Australia/Adelaide Australia/Brisbane Australia/Melbourne Australia/Perth Australia/Sydney Europe/Amsterdam
		Europe/Athens Europe/Belgrade Europe/Berlin Europe/Brussels Europe/Bucharest Europe/Budapest Europe/Copenhagen
		Europe/Dublin Europe/Helsinki Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Madrid Europe/Moscow
		Europe/Oslo Europe/Paris Europe/Prague Europe/Rome Europe/Sofia Europe/Stockholm Europe/Vienna Europe/Warsaw
		Europe/Zurich Pacific/Auckland Pacific/Honolulu`)
}

// metricName is the name of a metric.
type metricName struct{ schema.Text }

var metricRE = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// Read implements schema.Reader.
func (m *metricName) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := m.Text.Read(v, r); l != nil {
		return l
	}
	if !metricRE.MatchString(m.V) {
		return diag.List{v.Error(diag.BadName, fmt.Sprintf("%q is not the name of a metric", m.V), "write it as Prometheus stores it, for example http_requests_total")}
	}
	return nil
}

// Describe implements schema.Reader.
func (*metricName) Describe(schema.Rule) map[string]any {
	return map[string]any{"type": "string", "pattern": metricRE.String()}
}

// currency is an ISO 4217 code.
type currency struct{ schema.Text }

var currencyRE = regexp.MustCompile(`^[A-Z]{3}$`)

// Read implements schema.Reader.
func (c *currency) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := c.Text.Read(v, r); l != nil {
		return l
	}
	if !currencyRE.MatchString(c.V) {
		return diag.List{v.Error(diag.WrongValue, fmt.Sprintf("%q is not a currency code", c.V), "write three capital letters, for example EUR")}
	}
	return nil
}

// Describe implements schema.Reader.
func (*currency) Describe(schema.Rule) map[string]any {
	return map[string]any{"type": "string", "pattern": currencyRE.String()}
}

// recurrence is an RFC 5545 recurrence rule without DTSTART.
type recurrence struct {
	schema.Text
	rule *rrule.ROption
}

// Read implements schema.Reader.
func (x *recurrence) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := x.Text.Read(v, r); l != nil {
		return l
	}
	text := strings.TrimPrefix(x.V, "RRULE:")
	opt, err := rrule.StrToROption(text)
	if err == nil && strings.Contains(strings.ToUpper(text), "DTSTART") {
		err = fmt.Errorf("the start is given by the field start")
	}
	if err == nil {
		err = recurs(*opt)
	}
	if err != nil {
		x.V = ""
		return diag.List{v.Error(diag.BadRecurrence, fmt.Sprintf("%q is not a recurrence rule: %v", v.Text(), err), "write RFC 5545, for example FREQ=WEEKLY;BYDAY=SU")}
	}
	x.V, x.rule = text, opt
	return nil
}

// maxOccurrences is how often an adjustment may recur in a year.
const maxOccurrences = 1000

// recurs returns an error if a rule recurs too often or never. The library
// follows a rule that never fits to the year 9999, day by day, so that rules
// whose fit depends on the first day are refused, and others are tried close to
// that year.
func recurs(opt rrule.ROption) error {
	rare := len(opt.Bymonthday)+len(opt.Byyearday)+len(opt.Byweekno)+len(opt.Byeaster)+len(opt.Bysetpos) > 0
	switch {
	case opt.Freq > rrule.DAILY:
		return errors.New("it recurs more often than every day")
	case opt.Freq >= rrule.WEEKLY && rare:
		return fmt.Errorf("%v takes no other parts than INTERVAL, COUNT, UNTIL, BYDAY, BYMONTH, BYHOUR and BYMINUTE", opt.Freq)
	case opt.Interval > 1 && (opt.Freq == rrule.DAILY && len(opt.Byweekday) > 0 || opt.Freq >= rrule.WEEKLY && len(opt.Bymonth) > 0):
		return fmt.Errorf("%v takes BYDAY and BYMONTH only without INTERVAL", opt.Freq)
	}
	opt.Dtstart, opt.Until = time.Date(9991, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}
	rule, err := rrule.NewRRule(opt)
	if err != nil {
		return err
	}
	next := rule.Iterator()
	for n := range maxOccurrences {
		t, more := next()
		if !more && n == 0 {
			return errors.New("it never recurs")
		}
		if !more || t.Year() > 9991 {
			return nil
		}
	}
	return fmt.Errorf("it recurs more than %d times a year", maxOccurrences)
}

// webURL is an absolute http or https URL without credentials.
type webURL struct{ schema.Text }

// Read implements schema.Reader. The URL itself is not repeated in findings
// about credentials.
func (u *webURL) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	if l := u.Text.Read(v, r); l != nil {
		return l
	}
	x, err := url.Parse(u.V)
	switch {
	case err != nil || x.Host == "" || x.Scheme != "http" && x.Scheme != "https":
		return diag.List{v.Error(diag.BadURL, "want an absolute http or https URL", "for example http://prometheus:9090")}
	case x.User != nil:
		return diag.List{v.Error(diag.BadURL, "the URL carries credentials", "remove them and use bearerTokenFile")}
	}
	return nil
}

// Describe implements schema.Reader.
func (*webURL) Describe(schema.Rule) map[string]any {
	return map[string]any{"type": "string", "format": "uri", "pattern": "^https?://"}
}
