package yamlsrc

import (
	"bytes"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

func TestFormat(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, l := Format("f", []byte(in))
		if l != nil || string(got) != want {
			t.Errorf("%q: got %q %v, want %q", in, got, l, want)
		}
	}
	f("a:   1\nb:\n    c: 2 # why\n", "a: 1\nb:\n  c: 2 # why\n")
	f("a: 1\r\n# x\r\nb: 2", "a: 1\n# x\nb: 2\n")
	f("# head\na: 1\n---\nb: [x,   y]\n", "# head\na: 1\n---\nb: [x, y]\n")
	f("a: |\n    one\n      two\n", "a: |\n  one\n    two\n")
	f("a:\n- b\n- c\n", "a:\n  - b\n  - c\n")
}

func TestFormatUnsafe(t *testing.T) {
	f := func(in string, code diag.Code) {
		t.Helper()
		got, l := Format("f", []byte(in))
		if got != nil || len(l) != 1 || l[0].Code != code {
			t.Errorf("%q: got %q %v, want %s", in, got, l, code)
		}
	}
	f("? a # of the key\n: b # of the value\n", diag.FormatUnsafe)
	f("a: [\n", diag.YAMLSyntax)
}

// FuzzFormat checks that formatting keeps the documents and is idempotent.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"a:   1\n", "# x\n---\na: 'b'\n", "a: >\n x\n\n y\n", "- &a [1]\n- *a\n", "a: |+\n x\n\n\n", "? [a]\n: b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, l := Format("f", []byte(s))
		if l != nil {
			return
		}
		again, l := Format("f", got)
		if l.Failed() && len(l) == 1 && l[0].Code == diag.YAMLTooLarge {
			return
		}
		if l != nil || !bytes.Equal(got, again) {
			t.Fatalf("%q became %q, then %q (%v)", s, got, again, l)
		}
	})
}
