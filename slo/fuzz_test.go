package slo

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// FuzzCompile checks that no text makes Compile panic, that every place of a
// finding or an object is inside the file and every underline inside its line,
// that a second run says the same, and that there is a set unless there is an
// error.
func FuzzCompile(f *testing.F) {
	for _, c := range brokenCases(f) {
		for _, file := range c.files {
			f.Add(file.Text)
		}
	}
	f.Add([]byte(minimal))
	f.Fuzz(func(t *testing.T, b []byte) {
		files := []File{{"f", b}}
		set, l := Compile(files)
		if (set == nil) != l.Failed() {
			t.Fatalf("set %v, findings %v", set != nil, l)
		}
		lines := strings.Split(strings.TrimPrefix(string(b), "\ufeff"), "\n")
		inside := func(p Pos, n int) {
			if p.File != "f" || p.Line == 0 {
				return
			}
			if p.Line > len(lines) || p.Col < 1 || p.Col+n-1 > utf8.RuneCountInString(lines[p.Line-1])+1 {
				t.Fatalf("%d characters at %v are not inside %q", n, p, b)
			}
		}
		for _, d := range l {
			inside(d.Pos, d.Len)
			if d.Related != nil {
				inside(d.Related.Pos, 1)
			}
		}
		if set != nil {
			for _, x := range set.SLOs {
				inside(x.At, 1)
				for _, p := range x.Places {
					inside(p.Pos, 1)
				}
			}
		}
		again, m := Compile(files)
		if d := cmp.Diff(l, m); d != "" {
			t.Fatalf("a second run differs: %s", d)
		}
		if set != nil && set.Digest != again.Digest {
			t.Fatal("the digest of a second run differs")
		}
		var text bytes.Buffer
		if err := diag.Text(&text, l, sources(files), true); err != nil {
			t.Fatal(err)
		}
	})
}
