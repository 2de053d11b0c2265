package yamlsrc

import (
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// find returns the text that Span points at for each scalar of doc, found by
// searching want in the scalar's text.
func spanText(t *testing.T, doc, want string) string {
	t.Helper()
	roots, l := Parse("f.yaml", []byte(doc))
	if l.Failed() || len(roots) != 1 {
		t.Fatalf("parse %q: %v", doc, l)
	}
	fs, _ := roots[0].Fields()
	for _, f := range fs {
		if i := strings.Index(f.Value.Text(), want); i >= 0 {
			p, n := f.Value.Span(i, len(want))
			line := []rune(strings.Split(strings.ReplaceAll(doc, "\r", ""), "\n")[p.Line-1])
			return string(line[p.Col-1 : min(len(line), p.Col-1+n)])
		}
	}
	t.Fatalf("no value of %q contains %q", doc, want)
	return ""
}

func TestSpan(t *testing.T) {
	f := func(doc, want, text string) {
		t.Helper()
		if got := spanText(t, doc, want); got != text {
			t.Errorf("in %q, %q points at %q, want %q", doc, want, got, text)
		}
	}
	f("q: sum(BAD)\n", "BAD", "BAD")
	f("ö: ü\nq: ööö BAD ö\n", "BAD", "BAD")
	f("q: sum(a)\n  + sum(BAD)\n", "BAD", "BAD")
	f("q: a\n\n\n  b BAD\n", "BAD", "BAD")
	f("q: 'it''s BAD'\n", "BAD", "BAD")
	f("q: 'it''s\n\n  more BAD'\n", "BAD", "BAD")
	f(`q: "a\tb \u00e4 \"x\" BAD"`+"\n", "BAD", "BAD")
	f("q: \"a \\\n   b BAD\"\n", "BAD", "BAD")
	f("q: &x !!str BAD\n", "BAD", "BAD")
	f("q: |\n  a\n    b BAD\n", "BAD", "BAD")
	f("q: |\n\n\n  a\n\n  b BAD\n", "BAD", "BAD")
	f("q: |2\n    a\n   b BAD\n", "BAD", "BAD")
	f("q: |-  # comment\n  a\n  BAD", "BAD", "BAD")
	f("q: >\n  a b\n  c BAD\n", "BAD", "BAD")
	f("q: >+\n  a\n\n  c\n    more\n  BAD\n\n", "BAD", "BAD")
	f("q: >\r\n  a b\r\n  c BAD\r\n", "BAD", "BAD")
	f("q: |\r\n  a b\r\n  c BAD\r\n", "BAD", "BAD")
	f("# x\nq: {}\nr: BAD", "BAD", "BAD")
	f("q: a – b – 決 ö\n", "–", "–")
	f("q: \"a 決\"\n", "決", "決")
	f(`q: "BAD`+"\n\n\n"+`  x"`, "BAD", "BAD")
}

func TestDocuments(t *testing.T) {
	roots, l := Parse("f.yaml", []byte("# head\n---\na: 1\n---\n# nothing\n---\nb: [\n---\nc: 3\n...\n"))
	if len(roots) != 2 || len(l) != 1 {
		t.Fatalf("got %d roots and %v, want 2 and one error", len(roots), l)
	}
	if got := roots[1].Pos(); got.Line != 9 {
		t.Errorf("second document is at %v, want line 9", got)
	}
	if l[0].Code != diag.YAMLSyntax || l[0].Pos.Line < 7 || l[0].Pos.Line > 8 {
		t.Errorf("got %v, want a syntax error at line 7 or 8", l[0])
	}
}

func TestRefused(t *testing.T) {
	f := func(doc string, code diag.Code, pos string) {
		t.Helper()
		_, l := Parse("f", []byte(doc))
		if len(l) == 0 || l[0].Code != code || l[0].Pos.String() != pos {
			t.Errorf("%.40q: got %v, want %s at %s", doc, l, code, pos)
		}
	}
	f("a: b\rc: d\n", diag.YAMLLineBreak, "f:1:5")
	f("a: ü\u0085\n", diag.YAMLLineBreak, "f:1:5")
	f("a: \u2028\n", diag.YAMLLineBreak, "f:1:4")
	f("a: \xff\n", diag.YAMLEncoding, "f:1:4")
	f("\xff\xfea\x00", diag.YAMLEncoding, "f:1:1")
	f("a: \x00\n", diag.YAMLEncoding, "f:1:4")
	f("\xef\xbb\xbfa: b\n", diag.YAMLByteOrderMark, "f:1:1")
	f("a:\n\tb: c\n", diag.YAMLTab, "f:2:1")
	f("a: *x\n", diag.YAMLAlias, "f:1:4")
	f("a: &x [*x]\n", diag.YAMLAlias, "f:1:8")
	f(strings.Repeat("[", 100)+strings.Repeat("]", 100), diag.YAMLDepth, "f:1:65")
	f(strings.Repeat("[", 1<<20), diag.YAMLTooLarge, "f:1:1")
	f(strings.Repeat("a: b\n", 1<<20), diag.YAMLTooLarge, "f")
}

func TestTokenLen(t *testing.T) {
	f := func(line string, col int, want string) {
		t.Helper()
		n := TokenLen([]byte(line), col)
		if got := string([]rune(line)[col-1 : min(len([]rune(line)), col-1+n)]); got != want {
			t.Errorf("%q at %d: got %q, want %q", line, col, got, want)
		}
	}
	f("name: checkout # why", 7, "checkout")
	f(`name: "check, # \"out\"" # why`, 7, `"check, # \"out\""`)
	f("name: 'it''s' # why", 7, "'it''s'")
	f("a: {b: ö, c: d}", 8, "ö")
	f("a: {b: c, d: e}", 14, "e")
	f("start: 2026-01-01T00:00:00Z\r", 8, "2026-01-01T00:00:00Z")
	f("    target: x", 5, "target")
	f("    window:", 5, "window")
	f("a: [b c]", 5, "b c")
}

// TestSyntaxPlace checks that the culprit of an error is found, or, where it
// cannot be, the line at which the error shows.
func TestSyntaxPlace(t *testing.T) {
	f := func(doc, pos, msg string) {
		t.Helper()
		_, l := Parse("f", []byte(doc))
		if len(l) != 1 || l[0].Pos.String() != pos || !strings.Contains(l[0].Msg, msg) {
			t.Errorf("%q: got %v, want %q at %s", doc, l, msg, pos)
		}
	}
	f("a: 'b\nc: d\n", "f:1:4", "quote is not closed")
	f("x: \"two\n  lines\"\na: \"b\nc: \"d\"\n", "f:3:4", "quote is not closed")
	f("a: [b, {c: d}\ne: f\n", "f:1:4", "bracket is not closed")
	f("a: {b: \"}\"\ne: f\n", "f:1:4", "brace is not closed")
	f("a: [\n  b,\n  c\nd: e\n", "f:1:4", "")
	f("a: b: c\n", "f:1:5", "second colon")
	f("a:b\nc: d\n", "f:1:1", "not a key with a value")
	f("a: http://x: y\n", "f:1:12", "second colon")
	f("a: 1\n b: 2\n", "f:2:2", "a key cannot stand below a value")
	f("a:\n  b: 1\n c: 2\n", "f:3:2", "does not fit")
	f("---\nok: 1\n---\n\n\na: ]\n", "f:6:4", "a value is missing")
	f("a: [b,, c]\n", "f:1:7", "a value is missing")
	f("a: [b]]\n", "f:1:7", "nothing is open")
	f("a: \"b\" c\n", "f:1:8", "behind the closing quote")
	f("a: \"\\q\"\n", "f:1:5", "escape")
	f("a: `b`\n", "f:1:4", "cannot start with `")
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 20; i++ {
		n, p := string(rune('a'+i)), string(rune('a'+i-1))
		if i == 1 {
			p = "a0"
		}
		b.WriteString(n + ": &" + n + " [" + strings.Repeat("*"+p+", ", 10) + "]\n")
	}
	_, l := Parse("f", []byte(b.String()))
	if len(l) != 1 || l[0].Code != diag.YAMLAlias {
		t.Errorf("got %v, want %s", l, diag.YAMLAlias)
	}
}

func TestMergeAndDuplicate(t *testing.T) {
	roots, l := Parse("f", []byte("base: &b {x: 1, y: 2}\nv:\n  <<: *b\n  y: 3\n  y: 4\n"))
	if l.Failed() {
		t.Fatal(l)
	}
	top, _ := roots[0].Fields()
	fs, l := top[1].Value.Fields()
	got := map[string]string{}
	for _, f := range fs {
		got[f.Name] = f.Value.Text()
	}
	if got["x"] != "1" || got["y"] != "3" {
		t.Errorf("got %v, want x=1 y=3", got)
	}
	if len(l) != 1 || l[0].Code != diag.DuplicateKey || l[0].Pos.String() != "f:5:3" || l[0].Related.Pos.String() != "f:4:3" {
		t.Errorf("got %v, want a duplicate key at f:5:3 after f:4:3", l)
	}
}

// FuzzParse checks that nothing panics, that every place is inside the file,
// and that the places inside strings belong to equal characters.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: b\n", "a: |\n x\n\n  y\n", "a: >-\n x\n y\n", "a: 'x''y'\n", "a: \"x\\\n  \\u00e4y\"\n", "- &a [1]\n- *a\n", "---\n---\n", "a: !!str\n", "? a\n: b\n", "%YAML 1.1\n---\na\n", "a: |2\n   x\n", "\r\n- a\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		roots, l := Parse("f", []byte(s))
		src := newSource("f", []byte(strings.TrimPrefix(s, "\ufeff")))
		inside := func(p diag.Pos) {
			if p.Line < 1 && p.Col == 0 {
				return
			}
			if p.Line < 1 || p.Line > len(src.lines) || p.Col < 1 || p.Col > len([]rune(string(src.line(p.Line))))+2 {
				t.Fatalf("place %v is outside of %q", p, s)
			}
		}
		for _, d := range l {
			inside(d.Pos)
		}
		for _, r := range roots {
			visit(r, 0, func(v Value) {
				inside(v.Pos())
				v.Len()
				for i := range v.Text() {
					p, _ := v.Span(i, 1)
					inside(p)
				}
			})
		}
	})
}

func visit(v Value, depth int, f func(Value)) {
	if depth > MaxDepth {
		return
	}
	f(v)
	for _, e := range v.Items() {
		visit(e, depth+1, f)
	}
	if v.Kind() == Mapping {
		fs, _ := v.Fields()
		for _, e := range fs {
			visit(e.Value, depth+1, f)
		}
	}
}
