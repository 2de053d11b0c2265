package diag

import (
	"bytes"
	"encoding/json"
	"flag"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata")

// example returns findings of every form, with content that tries to leave
// its place.
func example() (List, Sources) {
	src := Sources{
		"a.yaml": []byte("a: 100.5\nname: 決済サービス oops\n\tkey:\tvalue\nlong: " + strings.Repeat("x", 200) + "HERE" + strings.Repeat("y", 200) + "\r\nesc: \x1b[31mred\x1b[0m\n\ncombining: e\u0301e\u0301 oops\nemoji: 🚢🚢 oops\n"),
	}
	var l List
	at := func(line, col, n int, msg string) Diag {
		return Diag{Sev: Error, Code: WrongValue, Pos: Pos{"a.yaml", line, col}, Len: n, Msg: msg}
	}
	l.Add(at(1, 4, 5, "first line"))
	l.Add(at(2, 7, 6, "wide characters"))
	l.Add(at(2, 14, 4, "behind wide characters"))
	l.Add(at(3, 7, 5, "tabs"))
	l.Add(at(4, 207, 4, "a long line with CRLF"))
	l.Add(at(5, 6, 8, "an escape sequence"))
	l.Add(at(6, 1, 1, "an empty line"))
	l.Add(at(7, 17, 4, "combining marks"))
	l.Add(at(8, 11, 4, "emoji"))
	l.Add(at(1, 4, 500, "an underline that is too long"))
	l.Add(at(1, 400, 1, "a column that does not exist"))
	l.Add(at(99, 1, 1, "a line that does not exist"))
	hostile := at(1, 1, 0, "\x1b[2Jgone\n::error file=x::injected\r\u202eabc 100%")
	hostile.Hint = "one\n::warning::two"
	hostile.Related = &Related{Pos{"b\x1b[31m.yaml", 3, 4}, "other\nline"}
	l.Add(hostile)
	l.Add(Diag{Sev: Warning, Code: NoOwner, Pos: Pos{File: "odd,name:1\n::error::x%.yaml", Line: 2, Col: 3}, Len: 2, Msg: "in an odd file"})
	l.Add(Diag{Sev: Note, Code: FileRead, Pos: Pos{File: "whole.yaml"}, Msg: "the file as a whole", Hint: "do something"})
	return l, src
}

func TestText(t *testing.T) {
	l, src := example()
	var plain, color bytes.Buffer
	if err := Text(&plain, l, src, false); err != nil {
		t.Fatal(err)
	}
	if err := Text(&color, l, src, true); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, "testdata/text.txt", plain.Bytes())
	if i := bytes.IndexFunc(plain.Bytes(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("control character in %q", plain.Bytes()[i:])
	}
	for _, esc := range []string{"\x1b[1m", "\x1b[0m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m"} {
		color = *bytes.NewBuffer(bytes.ReplaceAll(color.Bytes(), []byte(esc), nil))
	}
	if d := cmp.Diff(plain.String(), color.String()); d != "" {
		t.Errorf("colour changes more than colours:\n%s", d)
	}
}

func TestMachine(t *testing.T) {
	l, _ := example()
	var j, s, g bytes.Buffer
	if err := JSON(&j, l); err != nil {
		t.Fatal(err)
	}
	if err := SARIF(&s, l, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	if err := GitHub(&g, l); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, "testdata/findings.json", j.Bytes())
	golden.Check(t, *update, "testdata/findings.sarif", s.Bytes())
	golden.Check(t, *update, "testdata/findings.github", g.Bytes())
	if !json.Valid(j.Bytes()) || !json.Valid(s.Bytes()) {
		t.Error("the output is not JSON")
	}
	if got, want := strings.Count(g.String(), "\n"), len(l); got != want {
		t.Errorf("got %d workflow commands, want %d", got, want)
	}
}

func TestEmpty(t *testing.T) {
	f := func(name, want string, write func(*bytes.Buffer) error) {
		t.Helper()
		var b bytes.Buffer
		if err := write(&b); err != nil || b.String() != want {
			t.Errorf("%s: got %q (%v), want %q", name, b.String(), err, want)
		}
	}
	f("text", "", func(b *bytes.Buffer) error { return Text(b, nil, nil, true) })
	f("github", "", func(b *bytes.Buffer) error { return GitHub(b, nil) })
	f("json", "{\n  \"findings\": [],\n  \"errors\": 0,\n  \"warnings\": 0\n}\n", func(b *bytes.Buffer) error { return JSON(b, nil) })
}

// TestHostileLaw: whatever a file and a message contain, each finding is one
// workflow command, no raw control character comes out, and the underline is
// not longer than what it underlines.
func TestHostileLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var l List
		l.Add(Diag{
			Sev: Error, Code: WrongValue, Pos: Pos{rapid.String().Draw(t, "file"), rapid.IntRange(0, 3).Draw(t, "line"), rapid.IntRange(1, 300).Draw(t, "col")},
			Len: rapid.IntRange(-1, 300).Draw(t, "len"), Msg: rapid.String().Draw(t, "msg"), Hint: rapid.String().Draw(t, "hint"),
		})
		var g, x bytes.Buffer
		if err := GitHub(&g, l); err != nil {
			t.Fatal(err)
		}
		if err := Text(&x, l, Sources{l[0].Pos.File: []byte(text)}, false); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(g.String(), "\n"); n != 1 || strings.Contains(g.String(), "\r") {
			t.Fatalf("got %d lines: %q", n, g.String())
		}
		for _, r := range x.String() + g.String() {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Fatalf("control character %U in %q", r, x.String())
			}
		}
		for line := range strings.SplitSeq(x.String(), "\n") {
			if strings.HasPrefix(line, "      | ") && len(line) > 4*maxExcerpt+10 {
				t.Fatalf("underline of %d bytes", len(line))
			}
		}
	})
}

func TestList(t *testing.T) {
	var l List
	l.Add(Diag{Sev: Warning, Code: NoOwner, Pos: Pos{"b", 1, 1}, Msg: "w"})
	l.Add(Diag{Sev: Error, Code: WrongType, Pos: Pos{"a", 2, 1}, Msg: "second"})
	l.Add(Diag{Sev: Error, Code: WrongType, Pos: Pos{"a", 2, 1}, Msg: "second"})
	l.Add(Diag{Sev: Note, Code: NoSpecs, Pos: Pos{"a", 2, 1}, Msg: "note"})
	l.Add(Diag{Sev: Error, Code: WrongType, Pos: Pos{"a", 1, 9}, Msg: "first"})
	l.Sort()
	var got []string
	for _, d := range l {
		got = append(got, d.String())
	}
	want := []string{"a:1:9: error: first [wrong-type]", "a:2:1: error: second [wrong-type]", "a:2:1: note: note [no-specs]", "b:1:1: warning: w [no-owner]"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if e, w, n := l.Count(); e != 2 || w != 1 || n != 1 {
		t.Errorf("got %d errors, %d warnings, %d notes", e, w, n)
	}
	if warnings := l[3:]; warnings.Failed() || !warnings.Strict().Failed() || warnings.Failed() {
		t.Error("Strict makes a copy in which warnings fail")
	}
}

func TestCodes(t *testing.T) {
	for _, c := range Codes() {
		if c.Title() == "" || strings.ToLower(string(c)) != string(c) || strings.HasSuffix(c.Title(), ".") {
			t.Errorf("code %q has title %q", c, c.Title())
		}
	}
	if Code("nothing").Title() != "" {
		t.Error("a code that does not exist has a title")
	}
}
