package slo

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// File is one spec file. Name is what findings and places call it.
type File struct {
	Name string
	Text []byte
}

// Compile compiles files as one set and returns everything that is wrong with
// them, sorted by place. The set is nil when a finding is an error. Neither the
// order of files nor the number of processors changes the result.
//
// Compilation has two phases. The first reads each document on its own, while
// its text is at hand: shape, values and queries. The second links the objects:
// names, references, defaults, and what only the whole set can tell.
func Compile(files []File) (*Set, Findings) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	parts := make([]part, len(files))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Go(func() {
			r := reader{}
			for i := range next {
				parts[i] = r.file(files[i])
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()

	all := part{}
	for _, p := range parts {
		all.join(p)
	}
	l := linker{part: all}
	read := len(l.diags)
	set := l.link()
	underline(l.diags[read:], files)
	l.diags.Sort()
	if l.diags.Failed() {
		return nil, l.diags
	}
	set.Digest = set.digest()
	return set, l.diags
}

// underline gives findings of the second phase, which know only where a value
// starts, the length of what stands there. files are sorted by name.
func underline(l diag.List, files []File) {
	lines := map[string][][]byte{}
	for i := range l {
		p := l[i].Pos
		if _, done := lines[p.File]; !done {
			lines[p.File] = nil
			n, ok := slices.BinarySearchFunc(files, p.File, func(f File, name string) int { return strings.Compare(f.Name, name) })
			if ok {
				lines[p.File] = bytes.Split(bytes.TrimPrefix(files[n].Text, []byte("\ufeff")), []byte("\n"))
			}
		}
		if text := lines[p.File]; p.Line >= 1 && p.Line <= len(text) {
			l[i].Len = yamlsrc.TokenLen(text[p.Line-1], p.Col)
		}
	}
}

// part holds the objects of some documents before they are linked. Fields that
// a default can fill are still zero.
type part struct {
	services    []service
	dataSources []DataSource
	profiles    []AlertProfile
	policies    []BudgetPolicy
	slos        []SLO
	adjustments []adjustment
	reports     []report
	broken      map[string]bool // "Kind/name" of objects with errors
	unread      map[string]bool // names in documents that could not be read at all
	diags       diag.List
}

// service is a Service with the defaults for its SLOs.
type service struct {
	Service
	window                      Window
	profile, policy, dataSource string
	noData                      NoData
	events                      Decimal
}

// adjustment is an Adjustment with its selector still unresolved.
type adjustment struct {
	Adjustment
	sel  selector
	rule recurrence
}

// report is a Report with its selector still unresolved.
type report struct {
	Report
	sel selector
}

// selector picks SLOs: those that any of its fields names.
type selector struct {
	names, services []string
	labels          map[string]string
	all             bool
}

func (p *part) join(q part) {
	p.services = append(p.services, q.services...)
	p.dataSources = append(p.dataSources, q.dataSources...)
	p.profiles = append(p.profiles, q.profiles...)
	p.policies = append(p.policies, q.policies...)
	p.slos = append(p.slos, q.slos...)
	p.adjustments = append(p.adjustments, q.adjustments...)
	p.reports = append(p.reports, q.reports...)
	p.diags = append(p.diags, q.diags...)
	for k := range q.broken {
		mark(&p.broken, k)
	}
	for k := range q.unread {
		mark(&p.unread, k)
	}
}

func mark(set *map[string]bool, key string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[key] = true
}

// reader reads documents. It is used by one goroutine.
type reader struct {
	decoder schema.Decoder
	part    *part
	places  []Place
	queries *[]Query // collects the queries of SLOs, if not nil
}

func (r *reader) file(f File) part {
	r.part = &part{}
	roots, l := yamlsrc.Parse(f.Name, f.Text)
	r.part.diags = l
	if l.Failed() {
		for _, m := range nameLine.FindAllSubmatch(f.Text, -1) {
			mark(&r.part.unread, string(m[1]))
		}
	}
	if len(roots) == 0 && len(l) == 0 {
		r.add(diag.Diag{Sev: diag.Warning, Code: diag.NoSpecs, Pos: Pos{File: f.Name}, Msg: "the file has no document", Hint: "remove it, or write a spec into it"})
	}
	for _, root := range roots {
		r.document(root)
	}
	return *r.part
}

// nameLine finds the names that a file that is not YAML may declare.
var nameLine = regexp.MustCompile(`\bname:[ \t]*["']?([-a-z0-9]+)`)

// document reads one document of any kind.
func (r *reader) document(root yamlsrc.Value) {
	kind, name, ok := r.envelope(root)
	if !ok {
		mark(&r.part.unread, name)
		return
	}
	before := len(r.part.diags)
	r.places = nil
	switch kind {
	case "Service":
		read(r, root, r.service)
	case "SLO":
		read(r, root, r.slo)
	case "AlertProfile":
		read(r, root, r.profile)
	case "BudgetPolicy":
		read(r, root, r.policy)
	case "Adjustment":
		read(r, root, r.adjustment)
	case "Report":
		read(r, root, r.report)
	case "DataSource":
		read(r, root, r.dataSource)
	}
	if r.part.diags[before:].Failed() && name != "" {
		mark(&r.part.broken, kind+"/"+name)
	}
}

// read decodes a document and, when its shape allows, builds the object.
func read[S any](r *reader, root yamlsrc.Value, build func(*document[S])) {
	var d document[S]
	l := r.decoder.Decode(root, &d)
	r.part.diags = append(r.part.diags, l...)
	build(&d)
}

// envelope finds out which kind of object a document is.
func (r *reader) envelope(root yamlsrc.Value) (kind, name string, ok bool) {
	if root.Kind() != yamlsrc.Mapping {
		r.add(root.Error(diag.WrongType, fmt.Sprintf("want a document with apiVersion, kind, metadata and spec, have %s", root.Kind()), "separate documents with a line of three dashes"))
		return "", "", false
	}
	fields, _ := root.Fields()
	var version, k yamlsrc.Value
	for _, f := range fields {
		switch f.Name {
		case "apiVersion":
			version = f.Value
		case "kind":
			k = f.Value
		case "metadata":
			name = childText(f.Value, "name")
		}
	}
	if d, foreign := foreignSpec(root, fields, version); foreign {
		r.add(d)
		return "", name, false
	}
	if version.IsZero() || k.IsZero() {
		missing := "kind"
		if version.IsZero() {
			missing = "apiVersion"
		}
		r.add(root.Error(diag.MissingField, fmt.Sprintf("the document has no field %q", missing), fmt.Sprintf("start it with apiVersion: %s and kind: SLO", APIVersion)))
		return "", name, false
	}
	if version.Text() != APIVersion {
		hint := "write " + APIVersion
		if !slices.Contains(Kinds(), k.Text()) {
			hint = "keep files of other programs out of the spec directory"
		}
		r.add(version.Error(diag.UnknownVersion, fmt.Sprintf("unknown apiVersion %q", version.Text()), hint))
		return "", name, false
	}
	if !slices.Contains(Kinds(), k.Text()) {
		hint := "kinds: " + strings.Join(Kinds(), ", ")
		if s := schema.Closest(k.Text(), Kinds()); s != "" {
			hint = fmt.Sprintf("did you mean %q?", s)
		}
		r.add(k.Error(diag.UnknownKind, fmt.Sprintf("unknown kind %q", k.Text()), hint))
		return "", name, false
	}
	return k.Text(), name, true
}

func childText(v yamlsrc.Value, name string) string {
	if v.Kind() != yamlsrc.Mapping {
		return ""
	}
	fields, _ := v.Fields()
	for _, f := range fields {
		if f.Name == name {
			return f.Value.Text()
		}
	}
	return ""
}

// foreignSpec recognises the specs of other tools.
func foreignSpec(root yamlsrc.Value, fields []yamlsrc.Field, version yamlsrc.Value) (diag.Diag, bool) {
	tool, at := "", version
	has := func(name string) (v yamlsrc.Value) {
		for _, f := range fields {
			if f.Name == name {
				v = f.Value
			}
		}
		return v
	}
	switch v := version.Text(); {
	case strings.HasPrefix(v, "openslo"):
		tool = "OpenSLO"
	case strings.HasPrefix(v, "sloth.slok.dev/"):
		tool = "Sloth"
	case strings.HasPrefix(v, "pyrra.dev/"):
		tool = "Pyrra"
	case strings.HasPrefix(v, "sre.google.com/"):
		tool = "slo-generator"
	case !version.IsZero():
	case strings.HasPrefix(has("version").Text(), "prometheus/"):
		tool, at = "Sloth", has("version")
	case !has("slo_target").IsZero() || !has("service_name").IsZero():
		tool, at = "slo-generator", root
	case has("groups").Kind() == yamlsrc.Sequence:
		return root.Error(diag.UnknownVersion, "this is a file of Prometheus rules", "keep rules out of the spec directory: Plimsoll writes them"), true
	}
	if tool == "" {
		return diag.Diag{}, false
	}
	return at.Error(diag.UnknownVersion, fmt.Sprintf("this is a spec of %s", tool), "write it as "+APIVersion+"; docs/spec.md lists the fields"), true
}

// Kinds returns the kinds of objects, in the order of the documentation.
func Kinds() []string {
	return []string{"SLO", "Service", "AlertProfile", "BudgetPolicy", "Adjustment", "Report", "DataSource"}
}

func (r *reader) add(d diag.Diag) { r.part.diags.Add(d) }

// place notes where a value was written.
func (r *reader) place(path string, v yamlsrc.Value) {
	if !v.IsZero() {
		r.places = append(r.places, Place{path, v.Pos()})
	}
}

// meta builds the Meta of an object from what has been read and placed so far.
func (r *reader) meta(m metadata) Meta {
	r.place("metadata.name", m.Name.At)
	for _, l := range m.Labels.V {
		r.place("metadata.labels."+l.Name, l.At)
		if l.Name == LabelSLO || l.Name == LabelSeverity || l.Name == LabelWindow || l.Name == LabelService {
			r.add(l.Key.Error(diag.BadLabel, fmt.Sprintf("label %s is set by Plimsoll", l.Name), "choose another name"))
		}
	}
	slices.SortFunc(r.places, func(a, b Place) int { return strings.Compare(a.Path, b.Path) })
	return Meta{
		Name: m.Name.V, DisplayName: m.DisplayName.V, Labels: labelMap(m.Labels), Annotations: labelMap(m.Annotations),
		At: m.Name.At.Pos(), Places: slices.Clip(r.places),
	}
}

func labelMap(l schema.Labels) map[string]string {
	if len(l.V) == 0 {
		return nil
	}
	out := make(map[string]string, len(l.V))
	for _, x := range l.V {
		out[x.Name] = x.Value
	}
	return out
}
