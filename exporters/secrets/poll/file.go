package poll

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// maxFile bounds a policy file and a file that a command wrote.
const maxFile = 1 << 20

// file looks at the secrets of a policy file.
func (r *round) file() error {
	b, err := readFile(r.cfg.Path)
	if err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	entries, list := ReadPolicy(r.cfg.Path, b)
	for _, d := range list {
		r.errs = append(r.errs, errors.New(d.String()))
	}
	complete := !list.Failed()
	var all []found
	for _, e := range entries {
		if !r.spend() {
			return fmt.Errorf("read policy %q: %w", r.cfg.Path, errTooMany)
		}
		f, err := r.entry(e)
		if err != nil {
			r.errs = append(r.errs, err)
			complete = false
			continue
		}
		all = append(all, f)
	}
	r.tell("file/"+instance(r.cfg.Instance), all, complete)
	return nil
}

// entry looks at one secret.
func (r *round) entry(e Entry) (f found, err error) {
	secret := secrets.Secret{Store: "file", Kind: "secret", Scope: event.Clean(r.cfg.Instance), Name: r.cfg.Naming.Show(e.Name), Owner: owner(e.Owner)}
	state := secrets.State{
		Secret: secret, Rotated: e.Rotated, Mode: secrets.Active,
		Policy: &secrets.Policy{Interval: e.Interval, Window: e.Window, Grace: e.Grace},
	}
	if e.Paused {
		state.Mode = secrets.Paused
	}
	if e.Read != "" {
		state.Rotated, state.Refreshed, err = e.times(filepath.Dir(r.cfg.Path))
	}
	return found{state: state, subject: secrets.Subject(secret.Store, r.cfg.Instance, secret.Scope, secret.Kind, secret.Name)}, err
}

// times reads what a command wrote: when the secret was last rotated, and when consumers last loaded it if that is told.
// The error names the file and the place in it, not what is there.
func (e Entry) times(dir string) (rotated, refreshed time.Time, err error) {
	path := e.Read
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	b, err := readFile(path)
	if err != nil {
		return rotated, refreshed, fmt.Errorf("read last rotation: %w", err)
	}
	if e.RotatedAt == "" {
		rotated, err = parseTime(strings.TrimSpace(string(b)))
		if err != nil || e.Refreshed == "" {
			return rotated, refreshed, inFile(path, "", err)
		}
	}
	var document any
	if json.Unmarshal(b, &document) != nil {
		return rotated, refreshed, fmt.Errorf("read last rotation: %q is not JSON", path)
	}
	for _, x := range []struct {
		pointer string
		into    *time.Time
	}{{e.RotatedAt, &rotated}, {e.Refreshed, &refreshed}} {
		if x.pointer == "" {
			continue
		}
		if *x.into, err = timeAt(document, x.pointer); err != nil {
			return rotated, refreshed, inFile(path, x.pointer, err)
		}
	}
	return rotated, refreshed, nil
}

func inFile(path, pointer string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read last rotation: %q%s: %w", path, pointer, err)
}

// timeAt returns the time at a JSON Pointer (RFC 6901): a text, or seconds since 1970 as the AWS command writes them. What
// is not there or null is the zero time: never yet.
func timeAt(document any, pointer string) (time.Time, error) {
	for _, step := range strings.Split(pointer, "/")[1:] {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch v := document.(type) {
		case map[string]any:
			document = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return time.Time{}, nil
			}
			document = v[i]
		default:
			return time.Time{}, nil
		}
	}
	switch v := document.(type) {
	case nil:
		return time.Time{}, nil
	case string:
		return parseTime(v)
	case float64:
		if v > 0 && v < 253402300799 {
			return time.Unix(int64(v), 0).UTC(), nil
		}
	}
	return time.Time{}, errNoTime
}

var errNoTime = errors.New("want a time such as 2026-05-01T12:00:00Z, have something else")

// parseTime reads a time or a date, in UTC unless it says otherwise, in whole seconds.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Unix() > 0 && t.UTC().Year() <= 9999 {
			return whole(t), nil
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < 253402300799 {
		return time.Unix(n, 0).UTC(), nil
	}
	return time.Time{}, errNoTime
}

var spanPart = regexp.MustCompile(`^([0-9]{1,6})(w|d|h|m|s)`)

// maxSpan bounds a duration that is written: ten years.
const maxSpan = 3653 * 24 * time.Hour

// parseSpan reads a duration such as "90d" or "1d12h": above 0 and at most ten years.
func parseSpan(text string) (sum time.Duration, err error) {
	wrong := errors.New("want a duration from 1s to 10 years")
	units := map[string]time.Duration{"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
	for rest := text; rest != ""; {
		m := spanPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, wrong
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || sum > maxSpan {
			return 0, wrong
		}
		sum += time.Duration(n) * units[m[2]]
		rest = rest[len(m[0]):]
	}
	if sum <= 0 || sum > maxSpan {
		return 0, wrong
	}
	return sum, nil
}

// readFile reads a file that may not be large.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("want at most %d bytes in %q, have more", maxFile, path)
	}
	return b, err
}

// owner returns what of a text can be an owner.
func owner(text string) string { return event.Clean(text) }

// instance returns the segment of a Subject for an instance.
func instance(name string) string { return source.Ident(name) }
