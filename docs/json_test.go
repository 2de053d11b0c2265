package docs_test

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// marked is a JSON block that a comment in front of it says how to make.
var marked = regexp.MustCompile("(?m)^<!-- output: ([a-z]+) -->\n\n```json\n((?s:.*?))^```$")

// TestJSONOutput compares the JSON of json-output.md with what is really
// written. The first YAML block has a finding, the second has none.
func TestJSONOutput(t *testing.T) {
	page := read(t, "json-output.md")
	var specs []string
	for _, b := range blocks(page) {
		if b.lang == "yaml" {
			specs = append(specs, b.text)
		}
	}
	if len(specs) != 2 {
		t.Fatalf("want 2 specs in json-output.md, have %d", len(specs))
	}
	l := compile(specs[0], diag.Sources{})
	set, none := slo.Compile([]slo.File{{Name: exampleFile, Text: []byte(specs[1])}})
	if set == nil || len(none) > 0 {
		t.Fatalf("the second spec has findings: %v", none)
	}
	ways := map[string]func(io.Writer) error{
		"check": func(w io.Writer) error { return diag.JSON(w, l) },
		"sarif": func(w io.Writer) error { return diag.SARIF(w, l, "v1.0.0") },
		"set": func(w io.Writer) error {
			_, err := set.WriteTo(w)
			return err
		},
		"plan": func(w io.Writer) error { return writePlan(t, w) },
	}
	out, last := "", 0
	for _, m := range marked.FindAllStringSubmatchIndex(page, -1) {
		name := page[m[2]:m[3]]
		way, ok := ways[name]
		if !ok {
			t.Fatalf("there is no output %q", name)
		}
		delete(ways, name)
		var b bytes.Buffer
		if err := way(&b); err != nil {
			t.Fatal(err)
		}
		out += page[last:m[4]] + b.String()
		last = m[5]
	}
	if len(ways) > 0 {
		t.Errorf("json-output.md lacks %d outputs", len(ways))
	}
	golden.Check(t, *update, "json-output.md", []byte(out+page[last:]))
}

// writePlan writes the plan of a directory in which one file changes.
func writePlan(t *testing.T, w io.Writer) error {
	t.Helper()
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	t.Chdir(t.TempDir())
	defer t.Chdir(home)
	text := func(n string) map[string][]byte {
		return map[string][]byte{"rules/checkout.yaml": []byte(output.Header + "\ngroups: []  # " + n + "\n")}
	}
	first, err := output.NewPlan("generated", text("one"), output.Options{})
	if err != nil {
		return err
	}
	if err := first.Apply(); err != nil {
		return err
	}
	second, err := output.NewPlan("generated", text("two"), output.Options{})
	if err != nil {
		return err
	}
	if !strings.HasPrefix(second.Summary(), "0 to create, 1 to update") {
		t.Errorf("got plan %s", second.Summary())
	}
	return second.WriteJSON(w)
}
