package cost

import (
	"errors"
	"strings"
	"time"
)

// SlashDates says what 5/1/25 means.
type SlashDates int

// The meanings of dates with slashes.
const (
	// NoSlashDates refuses them: a file does not say which is meant, and a wrong guess is wrong for eleven days a month.
	NoSlashDates SlashDates = iota
	MonthFirst
	DayFirst
)

var errTime = errors.New("not a time")

// layouts are the ways to write a time, without its zone. "2006-01-02T15:04:05" also takes a fraction of a second.
var layouts = [...]string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04", "20060102"}

// times reads times and remembers the last ones, because the rows of a bill share few.
type times struct {
	zone   *time.Location
	slash  SlashDates
	recent map[string]time.Time
}

// parse returns the time in UTC. A time without a zone is in t.zone.
func (t *times) parse(text []byte) (time.Time, error) {
	if at, ok := t.recent[string(text)]; ok {
		return at, nil
	}
	if len(text) > 64 {
		return time.Time{}, errTime
	}
	at, err := t.read(strings.TrimSpace(string(text)))
	if err != nil || at.Year() < 1990 || at.Year() > 2200 {
		return time.Time{}, errTime
	}
	if len(t.recent) > 4096 {
		clear(t.recent)
	}
	t.recent[string(text)] = at
	return at, nil
}

func (t *times) read(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	zone := t.zone
	if utc, ok := strings.CutSuffix(text, " UTC"); ok {
		text, zone = utc, time.UTC
	}
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC(), nil
		}
	}
	slash := map[SlashDates][]string{
		MonthFirst: {"1/2/2006", "1/2/06", "1/2/2006 15:04:05", "1/2/2006 15:04", "1/2/06 15:04"},
		DayFirst:   {"2/1/2006", "2/1/06", "2/1/2006 15:04:05", "2/1/2006 15:04", "2/1/06 15:04"},
	}
	for _, layout := range slash[t.slash] {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errTime
}
