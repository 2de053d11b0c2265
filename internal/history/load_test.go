package history_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/history"
)

// good is a line that Load takes.
const good = `{"id":"a","title":"t","impact":"minor","status_sequence":["Investigating","Resolved"],"impact_window":null,` +
	`"downtime_start":"2024-05-01T14:00:00+02:00","downtime_end":"2024-05-01T12:30:00Z","components":["API  Requests","Git"]}`

func TestLoad(t *testing.T) {
	second := strings.NewReplacer(`"a"`, `"b"`, `["API  Requests","Git"]`, `["git", " api requests ", "Git", "Pages"]`,
		`"impact_window":null`, `"components_source":"guess","components_confidence":{"Git":0.9}`).Replace(good)
	got, err := history.Load(strings.NewReader(good + "\n" + second + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	x := history.Incident{ID: "a", Title: "t", Impact: "minor", Components: []string{"API Requests", "Git"}, Start: at(0), End: at(30)}
	y := x
	y.ID, y.Components, y.Inferred = "b", []string{"Git", "API Requests", "Pages"}, true
	if d := gocmp.Diff([]history.Incident{x, y}, got); d != "" {
		t.Errorf("incidents (-want +got):\n%s", d)
	}
}

func TestLoadErrors(t *testing.T) {
	f := func(old, with, want string) {
		t.Helper()
		bad := strings.Replace(good, old, with, 1)
		if bad == good {
			t.Fatalf("%q is not in the line", old)
		}
		// The line is the second of the file, after one with another id.
		_, err := history.Load(strings.NewReader(strings.Replace(good, `"a"`, `"0"`, 1) + "\n" + bad + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s -> %s: got error %v, want one on line 2 with %q", old, with, err, want)
		}
	}
	f(`"title"`, `"titel"`, `unknown field "titel"`)
	f(`"minor"`, `"small"`, `have "small"`)
	f(`"impact":"minor",`, ``, `have ""`)
	f(`"a"`, `""`, `no id`)
	f(`"a"`, `"0"`, `already on line 1`)
	f(`"a"`, `7`, `read incident`)
	f(`2024-05-01T12:30:00Z`, `yesterday`, `read incident`)
	f(`2024-05-01T12:30:00Z`, `2024-05-01T11:59:59Z`, `before the start 2024-05-01T12:00:00Z`)
	f(`"downtime_end":"2024-05-01T12:30:00Z",`, ``, `want a start and an end`)
	f(`"Git"`, `" "`, `a component has no name`)
	f(`"minor"`, `"maintenance"`, `never in progress`)
	f(`"Git"]}`, `"Git"]} {}`, `have more`)
	f(good, ``, `read incident`) // a blank line
	f(`"Git"`, `"`+strings.Repeat("x", 2<<20)+`"`, `too long`)
}

func TestLoadReportsTheReader(t *testing.T) {
	broken := errors.New("disk gone")
	if _, err := history.Load(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got error %v, want %v", err, broken)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(good)
	f.Add(good + "\n" + strings.Replace(good, `"a"`, `"b"`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		incidents, err := history.Load(strings.NewReader(text))
		if err != nil {
			if incidents != nil || !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("got %d incidents and the error %v", len(incidents), err)
			}
			return
		}
		for _, x := range incidents {
			if x.End.Before(x.Start) || x.ID == "" {
				t.Fatalf("a bad incident passes: %+v", x)
			}
		}
	})
}
