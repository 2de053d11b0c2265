package docs_test

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documentation")

// block is a fenced block of a Markdown text.
type block struct {
	lang, text string
	from, to   int // bytes of text in the page
}

var fence = regexp.MustCompile("(?m)^```([a-z]*)\n((?s:.*?))^```$")

// blocks returns the fenced blocks of page, in order.
func blocks(page string) []block {
	var out []block
	for _, m := range fence.FindAllStringSubmatchIndex(page, -1) {
		out = append(out, block{page[m[2]:m[3]], page[m[4]:m[5]], m[4], m[5]})
	}
	return out
}

// read returns a file of this directory.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// markdown returns the pages below this directory, with slashes.
func markdown(t *testing.T) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(name) == ".md" {
			out = append(out, name)
		}
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("%d pages, %v", len(out), err)
	}
	return out
}

// TestExamples compiles each YAML block that is a spec on its own: it must have
// no finding at all, and become rules. The pages of codes and json-output.md,
// which show mistakes, have tests of their own.
func TestExamples(t *testing.T) {
	n := 0
	for _, name := range markdown(t) {
		if strings.HasPrefix(name, "diag/") || name == "json-output.md" {
			continue
		}
		for _, b := range blocks(read(t, name)) {
			if b.lang != "yaml" || !strings.Contains(b.text, "apiVersion:") {
				continue
			}
			n++
			set, l := slo.Compile([]slo.File{{Name: name, Text: []byte(b.text)}})
			if len(l) > 0 {
				t.Errorf("%s: an example has findings: %v\n%s", name, l, b.text)
				continue
			}
			if _, err := rules.Files(set, rules.Options{}); err != nil {
				t.Errorf("%s: an example does not become rules: %v\n%s", name, err, b.text)
			}
		}
	}
	if n < 10 {
		t.Errorf("found %d examples, want at least one for each SLI", n)
	}
}

// TestGuideHasEveryVariant looks for an example of each kind of SLI and of
// object in the guide.
func TestGuideHasEveryVariant(t *testing.T) {
	kinds, variants := map[string]bool{}, map[string]bool{}
	for _, b := range blocks(read(t, "guide.md")) {
		if b.lang != "yaml" {
			continue
		}
		set, _ := slo.Compile([]slo.File{{Name: "guide.md", Text: []byte(b.text)}})
		if set == nil {
			continue
		}
		for i := range set.SLOs {
			variants[set.SLOs[i].SLI.Kind()] = true
		}
		for _, k := range slo.Kinds() {
			kinds[k] = kinds[k] || strings.Contains(b.text, "kind: "+k+"\n")
		}
	}
	for _, k := range slo.Kinds() {
		if !kinds[k] {
			t.Errorf("guide.md has no example of kind %s", k)
		}
	}
	for _, f := range slo.Reference()[1].Fields {
		if v, ok := strings.CutPrefix(f.Path, "sli."); ok && !strings.Contains(v, ".") && !variants[v] {
			t.Errorf("guide.md has no example of SLI %s", v)
		}
	}
}

var folder = regexp.MustCompile("(?m)^\\| `([^`]+/)` \\|")

// TestFolders checks that the folders of architecture.md exist.
func TestFolders(t *testing.T) {
	rows := folder.FindAllStringSubmatch(read(t, "architecture.md"), -1)
	if len(rows) < 15 {
		t.Fatalf("found %d folders", len(rows))
	}
	for _, m := range rows {
		if info, err := os.Stat(filepath.Join("..", m[1])); err != nil || !info.IsDir() {
			t.Errorf("architecture.md names %s, which is no folder", m[1])
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)]+)\)`)

// TestLinks follows the links between files of the repository.
func TestLinks(t *testing.T) {
	pages := append(markdown(t), "../CHANGELOG.md")
	for _, name := range pages {
		text := fence.ReplaceAllString(read(t, name), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			file := name
			if to != "" {
				file = filepath.Join(filepath.Dir(name), filepath.FromSlash(to))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", name, m[1], err)
				continue
			}
			if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: link to %s: there is no such heading", name, m[1])
			}
		}
	}
}

var (
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors returns the anchors that GitHub gives the headings of a page.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		s := notAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(s, " ", "-")] = true
	}
	return out
}

var changeNote = regexp.MustCompile(`^(CHANGE|FEATURE|FIX|PERF|SECURITY) [^:]+: .+\.$`)

// TestChangeNotes checks the form of the notes that become the changelog.
func TestChangeNotes(t *testing.T) {
	names, err := filepath.Glob("../changes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for line := range strings.Lines(read(t, name)) {
			if !changeNote.MatchString(strings.TrimSpace(line)) {
				t.Errorf("%s: want a line such as \"FIX rules: what is better now.\", have %q", name, line)
			}
		}
	}
}
