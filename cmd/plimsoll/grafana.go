package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/dashboards"
	"github.com/plimsoll-slo/plimsoll/internal/grafana"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// grafanaFlags are the flags of what talks to Grafana.
type grafanaFlags struct {
	url    string
	access accessFlags
}

func (f *grafanaFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "grafana", "", "URL of Grafana; the token is that of a service account")
	f.access.add(c)
}

// boardFlags say where the dashboards are in Grafana.
type boardFlags struct {
	uid, folder  string
	form, schema string
}

func (f *boardFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.uid, "uid", "", "start of the uids of the dashboards, and uid of their folder (default: that of the data source, else "+slo.DefaultDashboardUID+")")
	c.Flags().StringVar(&f.folder, "folder", "SLOs", "title of the folder of the dashboards, if it has to be created")
}

// addForm adds the flags of dashboards in files.
func (f *boardFlags) addForm(c *cobra.Command) {
	c.Flags().StringVar(&f.form, "dashboards", "files", "form of the dashboards: "+words(dashboards.Forms()))
	c.Flags().StringVar(&f.schema, "schema", "classic", "schema of the dashboards: "+words(dashboards.Schemas()))
}

// words lists the values of a flag.
func words[T ~string](list []T) string {
	var out []string
	for _, x := range list {
		out = append(out, string(x))
	}
	return strings.Join(out, ", ")
}

// options returns how the dashboards of set are generated. Alerts link to the uids that the data sources name, so
// those are the ones to use.
func (f boardFlags) options(set *slo.Set) (dashboards.Options, error) {
	o := dashboards.Options{UID: f.uid, Folder: f.folder, Form: dashboards.Form(f.form), Schema: dashboards.Schema(f.schema)}
	for _, d := range set.DataSources {
		if d.Grafana == nil {
			continue
		}
		if o.UID = cmp.Or(o.UID, d.Grafana.UID); o.UID != d.Grafana.UID {
			return o, fmt.Errorf("want dashboards whose uids start with %q, to which the alerts of data source %q link, have %q", d.Grafana.UID, d.Name, o.UID)
		}
	}
	o.UID = cmp.Or(o.UID, slo.DefaultDashboardUID)
	return o, o.Check()
}

func (a *app) applyCommand() *cobra.Command {
	var f grafanaFlags
	var b boardFlags
	var force bool
	c := &cobra.Command{
		Use:   "apply --grafana URL [PATH...]",
		Short: "Keep the dashboards in a Grafana",
		Long: `Apply compiles the specs and makes one folder of a Grafana hold exactly their
dashboards: the folder is created if need be, new and changed dashboards are written,
and those that no spec asks for any more are deleted. plan --grafana shows the same
change first.

A dashboard is touched only when it is ours and as we left it. One that was edited or
moved in Grafana is a conflict: then nothing is sent, and the edits are shown by the
paths of their values. --force overwrites them. A dashboard of somebody else is never
touched, not even with --force.

Grafana is asked again, up to five times, while it is busy (429) or broken (5xx).
Each dashboard is replaced at once; when one is refused, the command says what was done
before, and another apply carries on.`,
		Example: `  plimsoll plan --grafana https://grafana.example.com --token-file token slos/
  plimsoll apply --grafana https://grafana.example.com --token-file token slos/`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.planGrafana(c.Context(), args, f, b, force)
			if err != nil {
				return err
			}
			if err := p.WriteConflicts(a.stderr); err != nil {
				return world(err)
			}
			if err := p.Apply(c.Context()); err != nil {
				return world(err)
			}
			fmt.Fprintln(a.stdout, p.Result())
			return nil
		},
	}
	f.add(c)
	b.add(c)
	c.Flags().BoolVar(&force, "force", false, "overwrite our dashboards even if they were edited or moved in Grafana")
	cobra.CheckErr(c.MarkFlagRequired("grafana"))
	a.specFlags(c)
	return c
}

// planGrafana compiles the specs and compares their dashboards with those in Grafana.
func (a *app) planGrafana(ctx context.Context, args []string, f grafanaFlags, b boardFlags, force bool) (*grafana.Plan, error) {
	set, err := a.mustLoad(args)
	if err != nil {
		return nil, err
	}
	o, err := b.options(set)
	if err != nil {
		return nil, err
	}
	files, err := dashboards.Generate(set, o)
	if err != nil {
		return nil, world(fmt.Errorf("generate dashboards: %w", err))
	}
	var boards []grafana.Dashboard
	for _, file := range files {
		if uid, ok := strings.CutSuffix(path.Base(file.Name), ".json"); ok {
			boards = append(boards, grafana.Dashboard{UID: uid, JSON: file.Content})
		}
	}
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	p, err := client.Plan(ctx, grafana.Folder{UID: o.UID, Title: o.Folder}, boards, grafana.PlanOptions{Force: force})
	return p, world(err)
}

// client returns a client of Grafana.
func (f grafanaFlags) client() (*grafana.Client, error) {
	if f.url == "" {
		return nil, errors.New("want a URL with --grafana")
	}
	o, err := f.access.options()
	if err != nil {
		return nil, world(err)
	}
	return grafana.New(f.url, grafana.Options{Token: o.Token, User: o.User, Password: o.Password, HTTP: o.HTTP})
}
