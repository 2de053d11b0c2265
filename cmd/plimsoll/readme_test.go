package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the parts of README.md that programs print")

// TestReadme checks that what the README shows is what the program prints, and
// that every plimsoll command in it works. -update rewrites the shown output.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	stdout, stderr := "", ""
	in := func(dir string, args ...string) int {
		t.Helper()
		t.Chdir(dir)
		var out, errs bytes.Buffer
		code := run(args, strings.NewReader(""), &out, &errs)
		stdout, stderr = out.String(), errs.String()
		return code
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	want := text
	if code := in(filepath.Join(root, "cmd/plimsoll/testdata/readme"), "check", "slos/"); code != exitFindings {
		t.Errorf("check of the broken spec: exit code %d, want %d", code, exitFindings)
	}
	want = block(t, want, "console", "$ plimsoll check slos/\n"+stderr)
	quickstart, err := os.ReadFile(filepath.Join(root, "examples/quickstart/slo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want = block(t, want, "yaml", string(quickstart))
	if code := in(root, "explain", "-f", "examples/quickstart"); code != 0 {
		t.Errorf("explain: exit code %d: %s", code, stderr)
	}
	want = block(t, want, "text", stdout)
	if want != text {
		if !*update {
			t.Error("README.md does not show what the program prints; run go test ./cmd/plimsoll -run Readme -update and read the diff")
		} else if err := os.WriteFile(filepath.Join(root, "README.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	runCommands(t, root, text)
}

// block replaces the content of the first fenced block of a language.
func block(t *testing.T, text, language, content string) string {
	t.Helper()
	open := "```" + language + "\n"
	i := strings.Index(text, open)
	if i < 0 {
		t.Fatalf("README.md has no block of %s", language)
	}
	i += len(open)
	n := strings.Index(text[i:], "```")
	return text[:i] + content + text[i+n:]
}

var command = regexp.MustCompile(`(?m)^    plimsoll ([^#\n]+)`)

// runCommands runs the indented commands of the README, with the examples
// beside them.
func runCommands(t *testing.T, root, readme string) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS(filepath.Join(root, "examples"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	found := command.FindAllStringSubmatch(readme, -1)
	if len(found) < 4 {
		t.Errorf("README.md has %d commands, want at least 4", len(found))
	}
	for _, m := range found {
		var out, errs bytes.Buffer
		if code := run(strings.Fields(m[1]), strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("plimsoll %s: exit code %d: %s", m[1], code, errs.String())
		}
	}
}
