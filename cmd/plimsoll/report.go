package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/promapi"
	"github.com/plimsoll-slo/plimsoll/internal/remote"
	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// reportFlags are the flags of report.
type reportFlags struct {
	url, tenant, tokenFile, basicAuthFile string
	tls                                   remote.Files
	name, period, zone, format, file      string
	current                               bool
	now                                   func() time.Time
}

func (a *app) reportCommand() *cobra.Command {
	f := reportFlags{now: time.Now}
	c := &cobra.Command{
		Use:   "report [PATH...]",
		Short: "Tell what became of the error budgets over a period, to be signed off",
		Long: `Report asks a server with Prometheus' query API what the generated rules recorded,
and writes a report: each objective met or missed, the budget in part, events and time
of outage, the incidents that spent it, what adjustments took out beside the raw
numbers, the change against the period before, teams, services, cost, and the queries
with which all of it can be worked out again.

The period is week, month, quarter or year for the last one that is over (with --current
for the one that is not), a certain one such as 2026-10, 2026-Q4, 2026-W41 or 2026, or
two dates or times such as 2026-10-01/2026-10-08. Calendar periods are those of --zone.

Without --url each data source of the specs is asked at its own URL, with its tenant and
its token. With --report the heading, the period, the zone and the SLOs come from the
Report of that name; the other flags go before it.`,
		Example: `  plimsoll report --url http://prometheus:9090 --period month -o report.html slos/
  plimsoll report --url https://mimir.example.com/prometheus --tenant shop --token-file token --period 2026-10 --zone Europe/Berlin slos/
  plimsoll report --report platform-monthly --format json specs/`,
		RunE: func(c *cobra.Command, args []string) error { return a.report(c.Context(), args, f) },
	}
	fs := c.Flags()
	fs.StringVar(&f.url, "url", "", "URL of the server, up to /api/v1 (default: those of the data sources)")
	fs.StringVar(&f.tenant, "tenant", "", "tenant, sent as X-Scope-OrgID (default: that of the data source)")
	fs.StringVar(&f.tokenFile, "token-file", "", "file with a bearer token (default: that of the data source)")
	fs.StringVar(&f.basicAuthFile, "basic-auth-file", "", "file with user:password")
	fs.StringVar(&f.tls.CA, "ca-file", "", "PEM file with the authorities to trust")
	fs.StringVar(&f.tls.Cert, "cert-file", "", "PEM file with our certificate")
	fs.StringVar(&f.tls.Key, "key-file", "", "PEM file with the key of our certificate")
	fs.StringVar(&f.name, "report", "", "Report of the specs to make")
	fs.StringVar(&f.period, "period", "", "period, see above (default month)")
	fs.BoolVar(&f.current, "current", false, "report the period that is not over yet")
	fs.StringVar(&f.zone, "zone", "", "IANA time zone of the period (default UTC)")
	fs.StringVar(&f.format, "format", "", "md, html or json (default: what the name of the file says, else md)")
	fs.StringVarP(&f.file, "output", "o", "", "file to write (default: standard output)")
	c.MarkFlagsMutuallyExclusive("token-file", "basic-auth-file")
	a.specFlags(c)
	return c
}

func (a *app) report(ctx context.Context, args []string, f reportFlags) error {
	if err := f.chooseFormat(); err != nil {
		return err
	}
	set, err := a.mustLoad(args)
	if err != nil {
		return err
	}
	o, err := f.options(set)
	if err != nil {
		return err
	}
	queries, err := report.Queries(set, o)
	if err != nil {
		return err
	}
	facts, err := f.ask(ctx, set, queries)
	if err != nil {
		return err
	}
	r, err := report.Build(set, o, facts)
	if err != nil {
		return world(fmt.Errorf("make the report: %w", err))
	}
	var b bytes.Buffer
	write := map[string]func(io.Writer) error{"md": r.Markdown, "html": r.HTML, "json": r.JSON}[f.format]
	if err := write(&b); err != nil {
		return world(err)
	}
	if f.file != "" {
		return world(output.WriteFile(f.file, b.Bytes(), 0o644))
	}
	_, err = b.WriteTo(a.stdout)
	return world(err)
}

// chooseFormat fills in the format and refuses one that does not exist.
func (f *reportFlags) chooseFormat() error {
	if f.format == "" {
		f.format = strings.TrimPrefix(filepath.Ext(f.file), ".")
		if !slices.Contains([]string{"md", "html", "json"}, f.format) {
			f.format = "md"
		}
	}
	if !slices.Contains([]string{"md", "html", "json"}, f.format) {
		return fmt.Errorf("want --format md, html or json, have %q", f.format)
	}
	return nil
}

// options says what the report is about.
func (f reportFlags) options(set *slo.Set) (report.Options, error) {
	o := report.Options{Now: f.now(), Generator: "plimsoll " + versionText()}
	period, zone := f.period, f.zone
	if f.name != "" {
		i := slices.IndexFunc(set.Reports, func(x slo.Report) bool { return x.Name == f.name })
		if i < 0 {
			var known []string
			for _, x := range set.Reports {
				known = append(known, x.Name)
			}
			return o, world(unknown("Report", f.name, known))
		}
		x := set.Reports[i]
		o.Heading, o.Audience, o.SLOs = x.Heading, x.Audience, x.SLOs
		period, zone = cmp.Or(period, string(x.Period)), cmp.Or(zone, x.Zone)
	}
	var err error
	o.Period, err = report.ParsePeriod(cmp.Or(period, "month"), o.Now, cmp.Or(zone, "UTC"), f.current)
	return o, err
}

// ask asks the servers.
func (f reportFlags) ask(ctx context.Context, set *slo.Set, queries []report.Query) (report.Facts, error) {
	clients := map[string]*promapi.Client{}
	out := report.Facts{}
	for _, q := range queries {
		c := clients[q.DataSource]
		if c == nil {
			var err error
			if c, err = f.client(set, q.DataSource); err != nil {
				return nil, err
			}
			clients[q.DataSource] = c
		}
		var answer []promapi.Series
		var err error
		if q.Step == 0 {
			answer, err = c.Instant(ctx, q.Expr, q.To)
		} else {
			answer, err = c.Range(ctx, q.Expr, q.From, q.To, q.Step)
		}
		if err != nil {
			return nil, world(fmt.Errorf("query %s: %w", q.ID, err))
		}
		all := make([]report.Series, len(answer))
		for i, s := range answer {
			all[i].Labels = s.Labels
			for _, p := range s.Points {
				all[i].Points = append(all[i].Points, report.Point(p))
			}
		}
		out[q.ID] = all
	}
	return out, nil
}

// client returns a client of the server of a data source.
func (f reportFlags) client(set *slo.Set, name string) (*promapi.Client, error) {
	var s slo.DataSource
	if x, ok := set.DataSource(name); ok {
		s = *x
	}
	url := cmp.Or(f.url, s.URL)
	if url == "" {
		return nil, fmt.Errorf("data source %q has no URL: want --url", name)
	}
	o := promapi.Options{Tenant: cmp.Or(f.tenant, s.Tenant)}
	var err error
	token := f.tokenFile
	if token == "" && f.basicAuthFile == "" && f.url == "" {
		token = s.BearerTokenFile
	}
	if token != "" {
		if o.Token, err = readSecret(token); err != nil {
			return nil, world(err)
		}
	}
	if f.basicAuthFile != "" {
		secret, err := readSecret(f.basicAuthFile)
		if err != nil {
			return nil, world(err)
		}
		var ok bool
		if o.User, o.Password, ok = strings.Cut(secret, ":"); !ok {
			return nil, world(errors.New("read basic auth file: want user:password, have no colon"))
		}
	}
	if o.HTTP, err = remote.HTTP(f.tls); err != nil {
		return nil, world(err)
	}
	o.HTTP.Timeout = queryWithin
	return promapi.New(url, o)
}

// queryWithin is how long one query of a report may take.
const queryWithin = 5 * time.Minute
