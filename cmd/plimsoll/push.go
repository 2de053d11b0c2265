package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/ruler"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// pushFlags are the flags of push rules.
type pushFlags struct {
	ruler, api, tenant, namespace, dataSource string
	access                                    accessFlags
	plan, force                               bool
	show                                      buildFlags // format and exitCode
}

func (a *app) pushCommand() *cobra.Command {
	c := &cobra.Command{Use: "push", Short: "Send what the specs become to a server"}
	c.AddCommand(a.pushRulesCommand())
	return c
}

func (a *app) pushRulesCommand() *cobra.Command {
	var f pushFlags
	c := &cobra.Command{
		Use:   "rules --ruler URL [PATH...]",
		Short: "Send rules to the ruler of Mimir or Cortex",
		Long: `Push rules compiles the specs and makes one namespace of a ruler hold exactly their
rule groups: new and changed groups are sent, groups that no spec asks for any more
are deleted. Other namespaces, and groups that plimsoll did not write, are never
touched. A group of somebody else that has the name of one of ours is a conflict:
then nothing is sent, unless --force says to replace it.

With --plan it shows, as a diff, what it would do and sends nothing; --exit-code
then ends with 3 when there is a change.

The ruler is asked again, up to five times, while it is busy (429) or broken (5xx).
When it refuses a group, what was sent before stays; push again to carry on.`,
		Example: `  plimsoll push rules --ruler https://mimir.example.com --tenant shop --plan slos/
  plimsoll push rules --ruler https://cortex.example.com --api cortex --tenant shop --token-file token slos/`,
		RunE: func(c *cobra.Command, args []string) error { return a.pushRules(c.Context(), args, f) },
	}
	fs := c.Flags()
	fs.StringVar(&f.ruler, "ruler", "", "URL of the ruler, or of the gateway before it (required)")
	fs.StringVar(&f.api, "api", "mimir", "config API: mimir ("+ruler.Mimir+"), cortex ("+ruler.Cortex+") or a path")
	fs.StringVar(&f.tenant, "tenant", "", "tenant, sent as X-Scope-OrgID (default: that of the data source)")
	fs.StringVar(&f.namespace, "namespace", "plimsoll", "namespace to own")
	fs.StringVar(&f.dataSource, "data-source", "", "push the SLOs of this data source only")
	fs.BoolVar(&f.force, "force", false, "replace groups that plimsoll did not write and that have the names of ours")
	fs.BoolVar(&f.plan, "plan", false, "show what would change, and send nothing")
	fs.StringVar(&f.show.format, "format", "text", "format of --plan: text or json")
	fs.BoolVar(&f.show.exitCode, "exit-code", false, "with --plan: exit with 3 when something would change")
	cobra.CheckErr(c.MarkFlagRequired("ruler"))
	f.access.add(c)
	a.specFlags(c)
	return c
}

// pushRules plans, and shows the plan or applies it.
func (a *app) pushRules(ctx context.Context, args []string, f pushFlags) error {
	if !f.plan && (f.show.exitCode || f.show.format != "text") {
		return errors.New("--exit-code and --format are about --plan")
	}
	set, err := a.mustLoad(args)
	if err != nil {
		return err
	}
	groups, err := f.groups(set)
	if err != nil {
		return err
	}
	client, err := f.client(set, groups)
	if err != nil {
		return err
	}
	p, err := client.Plan(ctx, f.namespace, groups, ruler.PlanOptions{Force: f.force})
	if err != nil {
		return world(err)
	}
	if f.plan {
		return a.showPlan(&p.Plan, f.show)
	}
	if err := p.Apply(ctx); err != nil {
		return world(err)
	}
	fmt.Fprintln(a.stdout, p.Result())
	return nil
}

// groups returns the groups of one data source: a ruler reads one database.
func (f pushFlags) groups(set *slo.Set) ([]rules.Group, error) {
	if _, ok := set.DataSource(f.dataSource); f.dataSource != "" && !ok {
		return nil, fmt.Errorf("want --data-source to name one of the specs, have %q", f.dataSource)
	}
	groups, err := rules.Generate(set, rules.Options{Target: rules.Mimir, DataSource: f.dataSource})
	if err != nil {
		return nil, world(fmt.Errorf("generate rules: %w", err))
	}
	var sources []string
	for _, g := range groups {
		sources = append(sources, g.DataSource)
	}
	slices.Sort(sources)
	if sources = slices.Compact(sources); len(sources) > 1 {
		return nil, fmt.Errorf("the specs have several data sources: want --data-source %s", strings.Join(sources, " or "))
	}
	return groups, nil
}

// client returns a client of the ruler.
func (f pushFlags) client(set *slo.Set, groups []rules.Group) (*ruler.Client, error) {
	o := ruler.Options{Prefix: f.api, Tenant: f.tenant}
	switch {
	case f.api == "mimir":
		o.Prefix = ruler.Mimir
	case f.api == "cortex":
		o.Prefix = ruler.Cortex
	case !strings.HasPrefix(f.api, "/"):
		return nil, fmt.Errorf("want --api mimir, cortex or a path that starts with a slash, have %q", f.api)
	}
	if o.Tenant == "" && len(groups) > 0 {
		if s, ok := set.DataSource(groups[0].DataSource); ok {
			o.Tenant = s.Tenant
		}
	}
	access, err := f.access.options()
	if err != nil {
		return nil, world(err)
	}
	o.Token, o.User, o.Password, o.HTTP = access.Token, access.User, access.Password, access.HTTP
	return ruler.New(f.ruler, o)
}
