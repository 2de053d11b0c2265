package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/packs"
	"github.com/plimsoll-slo/plimsoll/slo"
)

func (a *app) packsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "packs",
		Short: "Ready-made SLOs for a platform",
		Long: `Packs are ready-made SLOs with alert profiles and runbooks for what a platform team
answers for: its API, pipelines, deployments, incidents, cost, secrets and more.
They are written as files that are yours to change.`,
	}
	c.AddCommand(a.packsListCommand(), a.packsShowCommand(), a.packsAddCommand())
	return c
}

func (a *app) packsListCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the packs",
		Long: `List shows each pack with the golden signals (M1 to M12) and failure modes (F1 to F7)
that it covers; as JSON also what it needs, and its SLOs with their objectives.`,
		Example: "  plimsoll packs list\n  plimsoll packs list --format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			switch format {
			case "table":
				return world(listPacks(a.stdout))
			case "json":
				return world(listPacksJSON(a.stdout))
			}
			return fmt.Errorf("want --format table or json, have %q", format)
		},
	}
	c.Flags().StringVar(&format, "format", "table", "format: table or json")
	return c
}

func listPacks(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PACK\tCOVERS\tSLOS\tPROMISES THAT")
	for _, p := range packs.All() {
		set, err := compilePack(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", p.Name, strings.Join(p.Covers, " "), len(set.SLOs), p.Title)
	}
	return t.Flush()
}

// listedPack is a pack in the output of packs list --format json.
type listedPack struct {
	Name   string      `json:"name"`
	Title  string      `json:"title"`
	Covers []string    `json:"covers"`
	Needs  string      `json:"needs"`
	SLOs   []listedSLO `json:"slos"`
}

type listedSLO struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Objective   slo.Decimal `json:"objective"`
	Page        bool        `json:"page"`
	Ticket      bool        `json:"ticket"`
}

func listPacksJSON(w io.Writer) error {
	list := struct {
		Schema string       `json:"schema"`
		Packs  []listedPack `json:"packs"`
	}{Schema: "plimsoll.packs/v1"}
	for _, p := range packs.All() {
		set, err := compilePack(p)
		if err != nil {
			return err
		}
		l := listedPack{Name: p.Name, Title: p.Title, Covers: p.Covers, Needs: p.Needs}
		for _, x := range set.SLOs {
			l.SLOs = append(l.SLOs, listedSLO{x.Name, x.Description, x.Objective, x.Alerting.Page, x.Alerting.Ticket})
		}
		list.Packs = append(list.Packs, l)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(list)
}

// compilePack compiles the specs of a pack.
func compilePack(p packs.Pack) (*slo.Set, error) {
	files, err := p.Files()
	if err != nil {
		return nil, fmt.Errorf("read pack %q: %w", p.Name, err)
	}
	var specs []slo.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if packs.IsSpec(name) {
			specs = append(specs, slo.File{Name: path.Join(p.Name, name), Text: files[name]})
		}
	}
	set, l := slo.Compile(specs)
	if set == nil {
		return nil, fmt.Errorf("compile pack %q: %v", p.Name, l)
	}
	return set, nil
}

func (a *app) packsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME [FILE]",
		Short: "Show a pack before it is added",
		Long: `Show prints what a pack is about: what it needs, what it says, how to change it, and
the names of its files. With FILE it prints that file.`,
		Example: "  plimsoll packs show pipelines\n  plimsoll packs show pipelines runbook.md",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := findPack(args[0])
			if err != nil {
				return err
			}
			files, err := p.Files()
			if err != nil {
				return world(fmt.Errorf("read pack %q: %w", p.Name, err))
			}
			names := slices.Sorted(maps.Keys(files))
			if len(args) == 2 {
				b, ok := files[args[1]]
				if !ok {
					return fmt.Errorf("want a file of pack %q (%s), have %q", p.Name, strings.Join(names, ", "), args[1])
				}
				_, err := a.stdout.Write(b)
				return world(err)
			}
			fmt.Fprintf(a.stdout, "%s\nFiles: %s\n", files["README.md"], strings.Join(names, ", "))
			return nil
		},
	}
}

// findPack returns the pack of a name from the command line.
func findPack(name string) (packs.Pack, error) {
	p, ok := packs.Find(name)
	if !ok {
		var names []string
		for _, p := range packs.All() {
			names = append(names, p.Name)
		}
		return p, fmt.Errorf("want a pack (%s), have %q", strings.Join(names, ", "), name)
	}
	return p, nil
}

// packsFlags are the flags of packs add.
type packsFlags struct {
	dir, runbooks    string
	all, plan, force bool
}

func (a *app) packsAddCommand() *cobra.Command {
	var f packsFlags
	c := &cobra.Command{
		Use:   "add NAME... [-o DIR]",
		Short: "Write packs into a directory of specs",
		Long: `Add writes each pack into a directory of its name below DIR: specs, a runbook and a
README. The files are yours to change from then on; begin with the owner in
service.yaml.

Alerts link to the runbook. It is named by its path in DIR, or below the URL of
--runbooks: where people read what is committed from DIR.

Added again, for example by a newer plimsoll, a pack brings the files up to date that
nobody has changed. When one was changed, nothing is written and each is named;
--force overwrites them. The file .plimsoll-manifest beside them tells which were
changed: keep it. With --plan add shows the change as a diff and writes nothing.`,
		Example: "  plimsoll packs add pipelines secrets -o slos\n  plimsoll packs add --all -o slos --plan\n  plimsoll packs add --all -o slos --runbooks https://git.example.com/platform/blob/main/slos",
		RunE: func(_ *cobra.Command, args []string) error {
			if f.all == (len(args) > 0) {
				return errors.New("want either the names of packs or --all")
			}
			return a.addPacks(args, f)
		},
	}
	c.Flags().StringVarP(&f.dir, "output", "o", ".", "directory to write into")
	c.Flags().StringVar(&f.runbooks, "runbooks", "", "URL or path by which people find DIR, for links to runbooks (default DIR)")
	c.Flags().BoolVar(&f.all, "all", false, "add every pack")
	c.Flags().BoolVar(&f.plan, "plan", false, "show what would change, and write nothing")
	c.Flags().BoolVar(&f.force, "force", false, "overwrite files that were changed")
	return c
}

func (a *app) addPacks(names []string, f packsFlags) error {
	wanted := packs.All()
	if !f.all {
		wanted = nil
		for _, name := range names {
			p, err := findPack(name)
			if err != nil {
				return err
			}
			wanted = append(wanted, p)
		}
	}
	plans, err := planPacks(wanted, f)
	if err != nil {
		return world(err)
	}
	for _, p := range plans {
		if f.plan {
			err = p.WriteDiff(a.stdout)
		} else if err = p.Apply(); err == nil {
			fmt.Fprintf(a.stdout, "%s: %s\n", filepath.ToSlash(p.Dir), p.Result())
		}
		if err != nil {
			return world(err)
		}
	}
	return nil
}

// planPacks compares each pack with what is there. It fails if any file of any pack stands in the way, so that
// packs are written all or none.
func planPacks(wanted []packs.Pack, f packsFlags) ([]*output.Plan, error) {
	var plans []*output.Plan
	var conflicts []output.Conflict
	for _, p := range wanted {
		base := f.runbooks
		if base == "" {
			base = filepath.ToSlash(filepath.Clean(f.dir))
		}
		files, err := p.FilesAt(base)
		if err != nil {
			return nil, fmt.Errorf("read pack %q: %w", p.Name, err)
		}
		plan, err := output.NewPlan(filepath.Join(f.dir, p.Name), files, output.Options{Force: f.force, Editable: true})
		if err != nil {
			return nil, err
		}
		for _, c := range plan.Conflicts {
			c.Path = filepath.ToSlash(filepath.Join(plan.Dir, c.Path))
			conflicts = append(conflicts, c)
		}
		plans = append(plans, plan)
	}
	if len(conflicts) > 0 {
		return nil, &output.ConflictError{Conflicts: conflicts}
	}
	return plans, nil
}
