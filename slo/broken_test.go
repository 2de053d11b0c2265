package slo

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata")

// brokenCase is one case of testdata/broken: NAME.yaml or the files of NAME/,
// and what Compile says about them in NAME.txt.
type brokenCase struct {
	name  string
	files []File
}

func brokenCases(t testing.TB) []brokenCase {
	t.Helper()
	entries, err := os.ReadDir("testdata/broken")
	if err != nil {
		t.Fatal(err)
	}
	var out []brokenCase
	for _, e := range entries {
		name, isYAML := strings.CutSuffix(e.Name(), ".yaml")
		if !isYAML && !e.IsDir() {
			continue
		}
		paths := []string{e.Name()}
		if e.IsDir() {
			paths = nil
			sub, err := os.ReadDir(filepath.Join("testdata/broken", e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range sub {
				paths = append(paths, e.Name()+"/"+s.Name())
			}
		}
		c := brokenCase{name: name}
		for _, p := range paths {
			b, err := os.ReadFile(filepath.Join("testdata/broken", p))
			if err != nil {
				t.Fatal(err)
			}
			c.files = append(c.files, File{p, b})
		}
		out = append(out, c)
	}
	return out
}

func sources(files []File) diag.Sources {
	out := diag.Sources{}
	for _, f := range files {
		out[f.Name] = f.Text
	}
	return out
}

// TestBroken compares what users read about broken files with what was read
// and found good. A file with an error has no Set; one with warnings has.
func TestBroken(t *testing.T) {
	for _, c := range brokenCases(t) {
		t.Run(c.name, func(t *testing.T) {
			set, l := Compile(c.files)
			if (set == nil) != l.Failed() {
				t.Errorf("got set %v and findings %v", set != nil, l)
			}
			var got bytes.Buffer
			if err := diag.Text(&got, l, sources(c.files), false); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, *update, filepath.Join("testdata/broken", c.name+".txt"), got.Bytes())
		})
	}
}

// elsewhere lists the codes that no file of the corpus can have, with the test
// that has them.
func elsewhere() map[diag.Code]string {
	return map[diag.Code]string{
		diag.FileRead:     "TestReadFiles",
		diag.FileOutside:  "TestReadFiles",
		diag.NoSpecs:      "TestReadFiles",
		diag.YAMLTooLarge: "TestLargeFile",
		diag.FormatUnsafe: "TestFormatUnsafe in package yamlsrc",

		diag.SeriesUnknown: "TestSpecs in package closed",
		diag.LabelUnknown:  "TestSpecs in package closed",

		diag.ReceiverMissing:    "TestMissing in package amconfig",
		diag.AlertmanagerLayout: "TestMergeRefuses in package amconfig",

		diag.ObjectSize: "TestTooLarge in package dashboards",
	}
}

// TestEveryCode proves that the corpus has each code, so that none is dead.
func TestEveryCode(t *testing.T) {
	have := map[diag.Code]bool{}
	for _, c := range brokenCases(t) {
		_, l := Compile(c.files)
		for _, d := range l {
			have[d.Code] = true
			if d.Code.Title() == "" {
				t.Errorf("%s: code %q has no title", c.name, d.Code)
			}
		}
	}
	for _, c := range diag.Codes() {
		if _, other := elsewhere()[c]; !have[c] && !other {
			t.Errorf("no file of testdata/broken has code %s", c)
		}
	}
}

func TestLargeFile(t *testing.T) {
	f := File{"big.yaml", bytes.Repeat([]byte("a: b\n"), 10<<20/5)}
	_, l := Compile([]File{f})
	var got bytes.Buffer
	if err := diag.Text(&got, l, sources([]File{f}), false); err != nil {
		t.Fatal(err)
	}
	const want = `big.yaml: error: the file has 10.0 MiB; the limit is 1 MiB [yaml-too-large]
      = hint: split the file: a directory is compiled as a whole
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
