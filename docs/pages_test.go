package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/dashboards"
	pages "github.com/plimsoll-slo/plimsoll/docs/diag"
	"github.com/plimsoll-slo/plimsoll/internal/amconfig"
	"github.com/plimsoll-slo/plimsoll/internal/closed"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/rules/alertmanager"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// exampleFile is what the outputs of the pages call the example.
const exampleFile = "slo.yaml"

// TestPagesAndCodes checks that each code has a page and each page a code.
func TestPagesAndCodes(t *testing.T) {
	for _, code := range diag.Codes() {
		page, ok := pages.Page(string(code))
		if !ok {
			t.Errorf("code %s has no page", code)
			continue
		}
		if first, _, _ := strings.Cut(page, "\n"); first != "# "+string(code) {
			t.Errorf("page of %s starts with %q", code, first)
		}
	}
	for _, name := range markdown(t) {
		code, ok := strings.CutPrefix(strings.TrimSuffix(name, ".md"), "diag/")
		if ok && code != "README" && !slices.Contains(diag.Codes(), diag.Code(code)) {
			t.Errorf("page %s is of no code", name)
		}
	}
	for _, none := range []string{"README", "no-such-code", "../guide", ""} {
		if _, ok := pages.Page(none); ok {
			t.Errorf("there is a page of %q", none)
		}
	}
}

// TestPageOutputs runs the example of each page: the first YAML block, or what
// elsewhere says. The block of kind text behind it must be what the program
// prints, and all findings must have the code of the page.
func TestPageOutputs(t *testing.T) {
	special := elsewhere()
	for _, code := range diag.Codes() {
		t.Run(string(code), func(t *testing.T) {
			name := "diag/" + string(code) + ".md"
			page := read(t, name)
			all := blocks(page)
			out := slices.IndexFunc(all, func(b block) bool { return b.lang == "text" })
			if out < 0 {
				t.Fatal("the page shows no output")
			}
			var l diag.List
			src := diag.Sources{}
			if run, ok := special[code]; ok {
				home, err := os.Getwd()
				if err != nil {
					t.Fatal(err)
				}
				t.Chdir(t.TempDir())
				l = run(t, src, all[0].text)
				t.Chdir(home)
			} else {
				if len(all) == 0 || all[0].lang != "yaml" || out < 1 {
					t.Fatal("want a YAML example in front of the output")
				}
				l = compile(all[0].text, src)
			}
			for _, d := range l {
				if d.Code != code {
					t.Errorf("the example also has %s", d)
				}
			}
			if len(l) == 0 {
				t.Fatal("the example has no finding")
			}
			var b bytes.Buffer
			if err := diag.Text(&b, l, src, false); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, *update, name, []byte(page[:all[out].from]+b.String()+page[all[out].to:]))
		})
	}
}

// TestPageFixes compiles the YAML that each page shows behind the output. It
// must have no finding.
func TestPageFixes(t *testing.T) {
	special := elsewhere()
	for _, code := range diag.Codes() {
		fixes := 0
		behind := false
		for _, b := range blocks(read(t, "diag/"+string(code)+".md")) {
			behind = behind || b.lang == "text"
			if b.lang != "yaml" || !behind {
				continue
			}
			fixes++
			if l := compile(b.text, diag.Sources{}); len(l) > 0 {
				t.Errorf("%s: the fixed example has findings: %v", code, l)
			}
		}
		if _, ok := special[code]; !ok && fixes == 0 {
			t.Errorf("%s: the page shows no fixed example", code)
		}
	}
}

func compile(text string, src diag.Sources) diag.List {
	src[exampleFile] = []byte(text)
	_, l := slo.Compile([]slo.File{{Name: exampleFile, Text: []byte(text)}})
	return l
}

// trouble leads to a finding, in an empty present directory. It puts the files
// that findings quote into src; example is the first block of the page.
type trouble func(t *testing.T, src diag.Sources, example string) diag.List

// elsewhere returns what leads to the codes that compiling one YAML text cannot
// show.
func elsewhere() map[diag.Code]trouble {
	bytesOf := func(text string) trouble {
		return func(_ *testing.T, src diag.Sources, _ string) diag.List { return compile(text, src) }
	}
	return map[diag.Code]trouble{
		diag.FileRead: func(*testing.T, diag.Sources, string) diag.List {
			_, l := slo.ReadFiles("slos/chekout.yaml")
			return l
		},
		diag.FileOutside: func(t *testing.T, _ diag.Sources, _ string) diag.List {
			mkdir(t, "slos")
			write(t, "shared.yaml", "kind: SLO\n")
			if err := os.Symlink("../shared.yaml", "slos/shared.yaml"); err != nil {
				t.Skip(err) // Windows without the right to make links
			}
			_, l := slo.ReadFiles("slos")
			return l
		},
		diag.NoSpecs: func(t *testing.T, _ diag.Sources, _ string) diag.List {
			mkdir(t, "slos")
			write(t, "slos/checkout.yaml.tmpl", "kind: SLO\n")
			_, l := slo.ReadFiles("slos")
			return l
		},
		diag.SeriesUnknown:      closedWorld,
		diag.LabelUnknown:       closedWorld,
		diag.ReceiverMissing:    receiverMissing,
		diag.AlertmanagerLayout: alertmanagerLayout,
		diag.ObjectSize: func(*testing.T, diag.Sources, string) diag.List {
			e := dashboards.TooLargeError{Name: "configmaps/plimsoll-oncall.yaml", Bytes: 1_300_000}
			return diag.List{e.Finding()}
		},
		diag.YAMLEncoding:      bytesOf("# K\xe4se\nkind: SLO\n"),
		diag.YAMLLineBreak:     bytesOf("kind: SLO\rspec:\r"),
		diag.YAMLByteOrderMark: bytesOf("\ufeff# checkout\n"),
		diag.YAMLTooLarge:      bytesOf(strings.Repeat("# 0123456789\n", 250_000)),
		diag.FormatUnsafe: func(_ *testing.T, src diag.Sources, example string) diag.List {
			src[exampleFile] = []byte(example)
			_, l := yamlsrc.Format(exampleFile, src[exampleFile])
			return l
		},
	}
}

// closedWorld checks the specs against the series that can be read.
func closedWorld(t *testing.T, src diag.Sources, example string) diag.List {
	src[exampleFile] = []byte(example)
	files := []slo.File{{Name: exampleFile, Text: src[exampleFile]}}
	set, l := slo.Compile(files)
	if l.Failed() {
		t.Fatal(l)
	}
	found, err := closed.Specs(set, files)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// receiverMissing merges the specs into a configuration without their receiver.
func receiverMissing(t *testing.T, src diag.Sources, example string) diag.List {
	src[exampleFile] = []byte(example)
	set, l := slo.Compile([]slo.File{{Name: exampleFile, Text: src[exampleFile]}})
	if l.Failed() {
		t.Fatal(l)
	}
	c, err := alertmanager.Generate(set, alertmanager.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file, l := amconfig.Parse("alertmanager.yml", []byte("route:\n  receiver: shop-pager\nreceivers:\n  - name: shop-pager\n"))
	for _, r := range c.Receivers {
		l = append(l, file.Missing([]amconfig.Reference{amconfig.Reference(r)})...)
	}
	return l
}

// alertmanagerLayout edits a configuration.
func alertmanagerLayout(_ *testing.T, src diag.Sources, example string) diag.List {
	src["alertmanager.yml"] = []byte(example)
	file, l := amconfig.Parse("alertmanager.yml", []byte(example))
	_, more := file.Merge([]amconfig.Part{{Path: "route.routes", Items: "- receiver: default\n"}})
	return append(l, more...)
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestIndex compares diag/README.md with the codes, grouped as codes.go groups
// them.
func TestIndex(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Codes of findings\n\nEvery finding of `plimsoll check` ends with a code in brackets. A code never changes its meaning.\n" +
		"`plimsoll explain --code CODE` prints its page.\n\n<!-- Generated by go test ./docs -update. -->\n")
	for _, g := range codeGroups(t) {
		fmt.Fprintf(&b, "\n## %s\n\n| code | meaning |\n|---|---|\n", g.title)
		for _, c := range g.codes {
			fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", c, c, c.Title())
		}
	}
	golden.Check(t, *update, "diag/README.md", []byte(b.String()))
}

type codeGroup struct {
	title string
	codes []diag.Code
}

// codeGroups reads the groups of constants in codes.go.
func codeGroups(t *testing.T) []codeGroup {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../internal/diag/codes.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var out []codeGroup
	n := 0
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		g := codeGroup{title: strings.TrimSuffix(strings.TrimPrefix(strings.Join(strings.Fields(d.Doc.Text()), " "), "Codes about "), ".")}
		g.title = strings.ToUpper(g.title[:1]) + g.title[1:]
		for _, s := range d.Specs {
			for _, v := range s.(*ast.ValueSpec).Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				g.codes = append(g.codes, diag.Code(text))
				n++
			}
		}
		out = append(out, g)
	}
	if n != len(diag.Codes()) {
		t.Errorf("codes.go declares %d codes, diag.Codes has %d", n, len(diag.Codes()))
	}
	return out
}
