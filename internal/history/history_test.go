package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/history"
)

// noon is the origin of the made-up incidents.
var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func at(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }

func incident(impact string, from, to int, components ...string) history.Incident {
	return history.Incident{
		ID: fmt.Sprintf("%s-%d-%d", impact, from, to), Impact: impact, Components: components,
		Start: at(from), End: at(to), Maintenance: impact == history.Maintenance,
	}
}

func TestOverlapsTakeTheWorst(t *testing.T) {
	f := func(want string, incidents ...history.Incident) {
		t.Helper()
		h := history.New(incidents, history.DefaultModel())
		var got []string
		for _, o := range h.Outages("api") {
			got = append(got, fmt.Sprintf("%d-%d:%d", int(o.From.Sub(noon).Minutes()), int(o.To.Sub(noon).Minutes()), o.Permille))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("got %q, want %q", s, want)
		}
	}
	const minor, major, critical = history.Minor, history.Major, history.Critical
	f("")
	f("0-10:50", incident(minor, 0, 10, "api"))
	f("0-10:50 20-30:50", incident(minor, 20, 30, "api"), incident(minor, 0, 10, "api"))
	f("0-20:50", incident(minor, 0, 10, "api"), incident(minor, 10, 20, "api")) // adjoining
	f("0-30:50", incident(minor, 0, 30, "api"), incident(minor, 5, 8, "api"))   // inside, no worse
	f("0-5:50 5-8:300 8-30:50", incident(minor, 0, 30, "api"), incident(major, 5, 8, "api"))
	f("0-30:300", incident(major, 0, 30, "api"), incident(minor, 5, 40, "other"), incident(minor, 5, 8, "api"))
	f("0-10:300 10-20:50", incident(major, 0, 10, "api"), incident(minor, 5, 20, "api"))
	f("0-5:50 5-6:1000 6-10:300", incident(minor, 0, 6, "api"), incident(major, 5, 10, "api"), incident(critical, 5, 6, "api"))
	f("0-10:300", incident(major, 0, 10, "api"), incident(minor, 0, 10, "api")) // the same time
	f("0-10:50", incident(minor, 0, 10, "api"), incident(history.None, 0, 60, "api"), incident(history.Maintenance, 5, 60, "api"))
	f("", incident(minor, 3, 3, "api"))
}

func TestSummaryPutsEachEntryInOneField(t *testing.T) {
	retroactive := incident(history.Major, 0, 10, "api")
	retroactive.Retroactive = true
	inferred := incident(history.Minor, 0, 10, "api", "web")
	inferred.Inferred = true
	h := history.New([]history.Incident{
		retroactive, inferred, incident(history.Minor, 5, 5, "api"), incident(history.Maintenance, 0, 9, "api"),
		incident(history.None, 0, 9, "api"), incident(history.Major, 0, 9), incident(history.Critical, 0, 9, "web"),
	}, history.DefaultModel())
	want := history.Summary{Entries: 7, Maintenance: 1, Retroactive: 2, Harmless: 1, Unattributed: 1, Counted: 2, Inferred: 1}
	if d := gocmp.Diff(want, h.Summary()); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
}

// A name that is not in the history must not look healthy.
func TestUnknownComponent(t *testing.T) {
	h := history.New([]history.Incident{incident(history.Minor, 0, 10, "api")}, history.DefaultModel())
	if h.Up("ap", at(60)) || h.ErrorRatio("ap", at(60)) != 1 {
		t.Error("a component that does not exist is up")
	}
	if bad, total := h.Replay(history.DefaultTraffic(), noon).Truth("ap", at(0), at(10)); bad != 0 || total != 0 {
		t.Errorf("a component that does not exist has %d bad of %d requests", bad, total)
	}
}

func TestModelString(t *testing.T) {
	want := "failing requests: none 0%, minor 5%, major 30%, critical 100%"
	if got := history.DefaultModel().String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewRefusesAModelThatIsNone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a model in which 1001 of 1000 requests fail is taken")
		}
	}()
	history.New(nil, history.Model{Major: 1001})
}
