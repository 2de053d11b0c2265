package cost

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// split returns the records, and the lines of those that are broken.
func split(t interface{ Fatalf(string, ...any) }, text string) (records [][]string, broken []int) {
	r := newRecords(strings.NewReader(text))
	for {
		fields, line, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return records, broken
		case errors.Is(err, errQuote), errors.Is(err, errTooLong):
			broken = append(broken, line)
			continue
		case err != nil:
			t.Fatalf("next: %v", err)
		}
		var record []string
		for _, field := range fields {
			record = append(record, string(field))
		}
		records = append(records, record)
	}
}

func TestRecords(t *testing.T) {
	f := func(in string, want [][]string, wantBroken ...int) {
		t.Helper()
		got, broken := split(t, in)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%.80q (-want +got):\n%s", in, d)
		}
		if d := cmp.Diff(wantBroken, broken); d != "" {
			t.Errorf("%.80q, broken (-want +got):\n%s", in, d)
		}
	}
	f("", nil)
	f("\xef\xbb\xbfa,b\r\n\r\n1,2", [][]string{{"a", "b"}, {"1", "2"}})
	f("a,\n,\n", [][]string{{"a", ""}, {"", ""}})
	f("\"x \"\"y\"\"\nz\",2\n3,4\n", [][]string{{"x \"y\"\nz", "2"}, {"3", "4"}})
	// A broken record costs its own line, not those behind it.
	f("1,a\"b\n2,3\n4,\"5\"\n", [][]string{{"2", "3"}, {"4", "5"}}, 1)
	f("1,\"b\n2,3\n4,5\n", [][]string{{"2", "3"}, {"4", "5"}}, 1)
	f("1,\"b\n2,3\n4,c\"d\n5,6", [][]string{{"2", "3"}, {"5", "6"}}, 1, 3)
	f("1,\"b\"c\n2,3\n", [][]string{{"2", "3"}}, 1)
	f("1\n\"", [][]string{{"1"}}, 2)
	long := strings.Repeat("x", 2*maxRecord)
	f("1\n"+long+"\n2\n\""+long+"\n3\n", [][]string{{"1"}, {"2"}, {"3"}}, 2, 4)
}

// TestRecordsBounded reads a quote that does not close in front of more than a record may hold.
func TestRecordsBounded(t *testing.T) {
	lines := 3 * maxRecord / 4
	got, broken := split(t, "1,\"b\n"+strings.Repeat("2,3\n", lines))
	if len(got) != lines || len(broken) != 1 || broken[0] != 1 {
		t.Errorf("got %d records and broken lines %v, want %d and line 1", len(got), broken, lines)
	}
}

// TestRecordsLaw compares with encoding/csv on what it writes.
func TestRecordsLaw(t *testing.T) {
	field := rapid.StringMatching(`[ab,"\n ]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.SliceOfN(field, 2, 4), 0, 6).Draw(t, "records")
		var b strings.Builder
		if err := csv.NewWriter(&b).WriteAll(want); err != nil {
			t.Fatalf("write: %v", err)
		}
		got, broken := split(t, b.String())
		if len(broken) > 0 {
			t.Fatalf("%q: broken lines %v", b.String(), broken)
		}
		if len(want) == 0 {
			want = nil
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%q (-want +got):\n%s", b.String(), d)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add("a,b\n1,\"2\n3\"\n")
	f.Add("1,\"b\n2,3\n4,c\"d\n5,6")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		got, broken := split(t, text)
		if len(got)+len(broken) > lines {
			t.Errorf("%d records and %d broken ones of %d lines", len(got), len(broken), lines)
		}
		for i, line := range broken {
			if line < 1 || line > lines || i > 0 && line <= broken[i-1] {
				t.Errorf("broken lines %v of %d", broken, lines)
			}
		}
	})
}
