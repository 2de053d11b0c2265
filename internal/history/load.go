package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Impacts that a status page gives to an incident. A maintenance that was
// announced is not an incident.
const (
	None        = "none"
	Minor       = "minor"
	Major       = "major"
	Critical    = "critical"
	Maintenance = "maintenance"
)

// Incident is one entry of a status page.
type Incident struct {
	ID, Title   string
	Impact      string    // one of the constants
	Components  []string  // what was affected, without duplicates; may be empty
	Start, End  time.Time // UTC, Start <= End
	Maintenance bool      // planned: Start and End are those of the work, not of the announcement
	Retroactive bool      // posted when it was over, with no length
	Inferred    bool      // Components were guessed from the text, not stated by the page
}

// entry is a line of the file.
type entry struct {
	ID               string             `json:"id"`
	EntryID          string             `json:"entry_id"`
	Title            string             `json:"title"`
	URL              string             `json:"url"`
	PublishedAt      time.Time          `json:"published_at"`
	UpdatedAt        time.Time          `json:"updated_at"`
	StatusSequence   []string           `json:"status_sequence"`
	StartedAt        time.Time          `json:"started_at"`
	ResolvedAt       time.Time          `json:"resolved_at"`
	ImpactWindow     json.RawMessage    `json:"impact_window"`
	DowntimeStart    time.Time          `json:"downtime_start"`
	DowntimeEnd      time.Time          `json:"downtime_end"`
	DurationMinutes  int                `json:"duration_minutes"`
	Updates          []update           `json:"updates"`
	Impact           string             `json:"impact"`
	Components       []string           `json:"components"`
	ComponentsSource string             `json:"components_source"`
	Confidence       map[string]float64 `json:"components_confidence"`
}

type update struct {
	At      time.Time `json:"at"`
	Status  string    `json:"status"`
	Message string    `json:"message"`
}

// maxLine bounds one entry in bytes.
const maxLine = 1 << 20

// Load reads JSON Lines in the form of the github-statuses archive. It is
// strict: unknown fields, unknown impacts, an end before the start, a second
// entry with the same id and blank lines are errors, and each error names its
// line. Start and End are downtime_start and downtime_end, which follow the
// post-mortem where there is one; those of a maintenance run from its first "In
// progress" to downtime_end, because the page starts the entry with the
// announcement. Names of components that differ in letter case or white space
// only become the spelling met first. The result is in the order of the file.
func Load(r io.Reader) ([]Incident, error) {
	var out []Incident
	seen, spelling := map[string]int{}, map[string]string{}
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	line := 0
	for s.Scan() {
		line++
		x, err := parse(s.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if first, ok := seen[x.ID]; ok {
			return nil, fmt.Errorf("line %d: incident %q is already on line %d", line, x.ID, first)
		}
		seen[x.ID] = line
		if x.Components, err = spell(x.Components, spelling); err != nil {
			return nil, fmt.Errorf("line %d: incident %q: %w", line, x.ID, err)
		}
		out = append(out, x)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", line+1, err)
	}
	return out, nil
}

func parse(line []byte) (Incident, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	var e entry
	if err := d.Decode(&e); err != nil {
		return Incident{}, fmt.Errorf("read incident: %w", err)
	}
	if d.More() {
		return Incident{}, fmt.Errorf("want one JSON object, have more")
	}
	x := Incident{
		ID: e.ID, Title: e.Title, Impact: e.Impact, Components: e.Components,
		Start: e.DowntimeStart.UTC(), End: e.DowntimeEnd.UTC(),
		Maintenance: e.Impact == Maintenance,
		Retroactive: slices.Equal(e.StatusSequence, []string{"Resolved"}),
		Inferred:    e.ComponentsSource != "",
	}
	if x.Maintenance {
		at, ok := e.began()
		if !ok {
			return Incident{}, fmt.Errorf("incident %q: the maintenance was never in progress", x.ID)
		}
		x.Start = at
	}
	return x, x.check()
}

// began returns when the work of a maintenance began.
func (e entry) began() (at time.Time, ok bool) {
	for _, u := range e.Updates {
		if u.Status == "In progress" {
			return u.At.UTC(), true
		}
	}
	return at, false
}

func (x Incident) check() error {
	switch {
	case x.ID == "":
		return fmt.Errorf("the incident has no id")
	case !slices.Contains([]string{None, Minor, Major, Critical, Maintenance}, x.Impact):
		return fmt.Errorf("incident %q: want impact none, minor, major, critical or maintenance, have %q", x.ID, x.Impact)
	case x.Start.IsZero() || x.End.IsZero():
		return fmt.Errorf("incident %q: want a start and an end, have %q and %q", x.ID, stamp(x.Start), stamp(x.End))
	case x.End.Before(x.Start):
		return fmt.Errorf("incident %q: the end %s is before the start %s", x.ID, stamp(x.End), stamp(x.Start))
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// spell returns names in their known spelling, each once. It adds new ones to
// known, which is keyed by lower case.
func spell(names []string, known map[string]string) ([]string, error) {
	var out []string
	for _, n := range names {
		n = strings.Join(strings.Fields(n), " ")
		key := strings.ToLower(n)
		if key == "" {
			return nil, fmt.Errorf("a component has no name")
		}
		if _, ok := known[key]; !ok {
			known[key] = n
		}
		if !slices.Contains(out, known[key]) {
			out = append(out, known[key])
		}
	}
	return out, nil
}
