package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

func TestClean(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := event.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("Build and test", "Build and test")
	f("  Build\r\n\tand\x00test\x1b[31m ", "Build and test [31m")
	f("caf\xe9", "caf\uFFFD")
	f("日本語", "日本語")
	f(strings.Repeat("x", 10_000), strings.Repeat("x", event.MaxText))
	f(strings.Repeat("é", 10_000), strings.Repeat("é", event.MaxText/2))
	f("x"+strings.Repeat("é", 10_000), "x"+strings.Repeat("é", (event.MaxText-1)/2))
	f(strings.Repeat("\n", 10_000), "")
}

func TestCleanLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "in"))
		got := event.Clean(in)
		if len(got) > event.MaxText || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("Clean(%q) = %q", in, got)
		}
		if again := event.Clean(got); again != got {
			t.Fatalf("Clean is not idempotent: %q, then %q", got, again)
		}
	})
}

func TestWordAndHex(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(event.Word("SUCCESS"), "success")
	f(event.Word("timed_out"), "timed_out")
	f(event.Word("free text"), "")
	f(event.Word("straße"), "")
	f(event.Word(strings.Repeat("a", 33)), "")
	sha := strings.Repeat("0a", 20)
	f(event.Hex(sha), sha)
	f(event.Hex(strings.ToUpper(sha)), "")
	f(event.Hex(sha[:39]), "")
	f(event.Hex("ghp_"+sha[4:]), "")
}

func TestSet(t *testing.T) {
	set := event.NewSet(event.String("c", "x"), event.Int("b", 2), event.String("gone", ""), event.Float("a", 0.5), event.Bool("d", true))
	got, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"a":0.5,"b":2,"c":"x","d":true}`, string(got)); diff != "" {
		t.Error(diff)
	}
	number, ok := set.Number("a")
	if set.Text("c") != "x" || set.Integer("b") != 2 || !ok || number != 0.5 || !set.True("d") {
		t.Errorf("wrong values in %s", got)
	}
	if _, ok := set.Number("b"); ok || set.Text("b") != "" || set.Integer("none") != 0 || set.True("c") {
		t.Error("a value was found under a wrong name or type")
	}
}

func TestSetTwice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for an attribute given twice")
		}
	}()
	event.NewSet(event.Int("a", 1), event.Int("a", 2))
}

func TestClamp(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	f := func(source, want time.Time, ok bool) {
		t.Helper()
		got, gotOK := event.Clamp(source, now)
		if !got.Equal(want) || gotOK != ok {
			t.Errorf("Clamp(%v) = %v %v, want %v %v", source, got, gotOK, want, ok)
		}
	}
	f(now.Add(-time.Hour), now.Add(-time.Hour), true)
	f(now.Add(event.MaxSkew), now.Add(event.MaxSkew), true)
	f(now.Add(event.MaxSkew+1), now, false)
	f(time.Time{}, now, false)
	f(time.Unix(-1, 0).UTC(), now, false)
}
