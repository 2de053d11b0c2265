package secrets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
)

// life is a secret and when it is rotated, in minutes since t0; the first rotation is before anybody looks.
type life struct {
	interval, window, grace int
	rotations               []int
}

const (
	every = 10   // minutes between two polls
	end   = 2500 // minutes that are played
)

func drawLife(t *rapid.T) life {
	l := life{interval: rapid.IntRange(200, 900).Draw(t, "interval")}
	l.window = rapid.IntRange(0, l.interval/4).Draw(t, "window")
	l.grace = rapid.IntRange(1, l.interval/4).Draw(t, "grace")
	at := rapid.IntRange(-l.interval, -1).Draw(t, "first")
	for at < end {
		l.rotations = append(l.rotations, at)
		switch rapid.IntRange(0, 3).Draw(t, "next") {
		case 0, 1: // in time, or nearly
			at += l.interval + rapid.IntRange(0, l.window+l.grace).Draw(t, "delay")
		case 2: // at any time
			at += rapid.IntRange(2*every, 4*l.interval).Draw(t, "pause")
		case 3:
			at += rapid.IntRange(2*every, l.interval).Draw(t, "early")
		}
		at = max(at, 1) // the others happen while somebody looks
	}
	return l
}

// truth counts good and bad by the definition: each rotation that is due in turn, with all that is ever known of it.
func (l life) truth() (good, bad uint64) {
	anchor, rest := l.rotations[0], l.rotations[1:]
	due := anchor + l.interval
	for {
		deadline := due + l.window + l.grace
		rotated := end
		if len(rest) > 0 && rest[0] <= end-every {
			rotated = rest[0]
		}
		switch {
		case rotated <= deadline && rotated < end:
			if float64(rotated) >= float64(due)-float64(l.interval)/10 {
				good++
			}
			rest, due = rest[1:], rotated+l.interval
		case deadline >= end-every: // nobody has looked since
			return good, bad
		default:
			bad++
			if due += l.interval; rotated < due-l.interval/10 && rotated < end {
				// too late for the one, and long before the next
				rest, due = rest[1:], rotated+l.interval
			}
		}
	}
}

func minute(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }

// TestDueLaws: secrets that are polled, each of which is rotated when it likes, are counted as the definition says;
// however often the counters are opened again or compacted, whatever comes twice, and whatever the order of secrets.
func TestDueLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lives := rapid.SliceOfN(rapid.Custom(drawLife), 1, 3).Draw(t, "lives")
		j := &journal{}
		open := func() *counters.Counters {
			c, err := counters.Open(j, t0, secrets.New(secrets.Options{}))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := open()
		told := map[int]int{}
		var sent []event.Event
		restart := rapid.IntRange(10, 300).Draw(t, "restart every")
		round := indexes(len(lives))
		for now := 0; now < end; now += every {
			if len(lives) > 1 && now%290 == 0 {
				round = rapid.Permutation(round).Draw(t, "order")
			}
			events := look(lives, round, told, now)
			sent = append(sent, events...)
			if now%170 == 0 {
				events = append(events, rapid.SampledFrom(sent).Draw(t, "copy"))
			}
			if err := c.Add(events...); err != nil {
				t.Fatal(err)
			}
			if (now/every)%restart == 0 {
				c = open()
			}
			if _, err := c.Read(minute(now), 0); err != nil {
				t.Fatal(err)
			}
			if (now/every)%(restart+7) == 0 {
				if err := c.Compact(); err != nil {
					t.Fatal(err)
				}
			}
		}
		var good, bad uint64
		for _, l := range lives {
			g, b := l.truth()
			good, bad = good+g, bad+b
		}
		snapshot, err := c.Read(time.Time{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]uint64{}
		for key, n := range totals(snapshot) {
			switch {
			case strings.HasPrefix(key, "outcomes"):
				got[strings.Fields(key)[1]] += n
			case key == "due":
				got["due"] = n
			}
		}
		if got["good"] != good || got["bad"] != bad || got["excluded"] != 0 {
			t.Fatalf("got %v, want %d good and %d bad of %+v", got, good, bad, lives)
		}
		if due := got["due"]; due < good+bad || due > good+bad+uint64(len(lives)) {
			t.Fatalf("%d due, with %d good, %d bad", due, good, bad)
		}
		again, err := open().Read(time.Time{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(snapshot, again, exact); diff != "" {
			t.Fatalf("after a replay of the journal (-want +got):\n%s", diff)
		}
	})
}

// look returns what a poller tells, which has told some rotation of each life before.
func look(lives []life, round []int, told map[int]int, now int) (events []event.Event) {
	for _, i := range round {
		n := 0
		for n+1 < len(lives[i].rotations) && lives[i].rotations[n+1] <= now {
			n++
		}
		if before, ok := told[i]; !ok || n != before {
			told[i] = n
			events = append(events, lives[i].state(i, n, now))
		}
	}
	return append(events, secrets.Listing{
		Origin: event.NewOrigin("vault", mount, fmt.Sprint("listed/", now), minute(now), minute(now)), Since: minute(0),
	}.Event())
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (l life) state(i, rotation, now int) event.Event {
	d := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	name := fmt.Sprint("app", i)
	return secrets.State{
		Origin: event.NewOrigin("vault", mount+"/"+name, fmt.Sprint("state/", now), minute(now), minute(now)),
		Secret: secrets.Secret{Store: "vault", Kind: "static-role", Scope: "database", Name: name}, Mode: secrets.Active,
		Rotated: minute(l.rotations[rotation]), Policy: &secrets.Policy{Interval: d(l.interval), Window: d(l.window), Grace: d(l.grace)},
	}.Event()
}

// exact compares attributes with their types.
var exact = cmp.Comparer(func(a, b event.Attr) bool { return a == b })

// TestLedger: what was counted is there when the ledger is opened again, with what every fact said.
func TestLedger(t *testing.T) {
	dir := t.TempDir()
	var want metric.Snapshot
	for i := range 3 {
		l, err := ledger.Open(dir, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := counters.Open(l, t0, secrets.New(secrets.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		now := 24 * i
		s := &story{t: t, c: c}
		if i > 0 {
			if diff := cmp.Diff(want, s.read(float64(now)), exact); diff != "" {
				t.Errorf("after opening it again (-want +got):\n%s", diff)
			}
		}
		s.says(float64(now)+0.1, float64(now))
		s.attempt(float64(now)+0.2, secrets.Failed, fmt.Sprint(i))
		s.listed(float64(now)+0.3, 0)
		want = s.read(float64(now) + 24)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCardinality: whatever the names of secrets, mounts and owners, there are not more series than the limits say, and
// the sums stay exact.
func TestCardinality(t *testing.T) {
	options := secrets.Options{MaxSeries: 20, MaxOverdue: 5, MaxSecrets: 300}
	c := counters.New(t0, secrets.New(options))
	for i := range 1000 {
		word := fmt.Sprint("x", i)
		s := secrets.Secret{Store: "vault", Kind: "kv", Scope: "mount" + word, Name: word, Owner: "team" + word}
		subject := secrets.Subject("vault", "", s.Scope, s.Kind, s.Name)
		origin := func(key string) event.Origin { return event.NewOrigin("vault", subject, key+word, t0, t0) }
		err := c.Add(
			secrets.State{Origin: origin("state"), Secret: s, Rotated: t0.AddDate(-1, 0, 0), Policy: &secrets.Policy{Interval: time.Hour}}.Event(),
			secrets.Attempt{Origin: origin("attempt"), Secret: s, Result: secrets.Failed, Trigger: "manual"}.Event(),
			secrets.Access{Origin: origin("access"), Secret: s, Operation: "read", Outcome: "ok", Principal: "root"}.Event(),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, hours := range []float64{0, 0.1, 0.2, 0.3} {
		if _, err := c.Read(at(hours), 0); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := c.Read(at(0.4), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range snapshot.Families {
		// Beyond the limit there is one overflow series for each combination of the bounded attributes, of which none
		// has more than twenty.
		if len(f.Points) > 20+20 {
			t.Errorf("%s has %d series", f.Name, len(f.Points))
		}
		for _, p := range f.Points {
			if f.Name != "secret.rotation.overdue.age" && p.Attrs.Text(event.SecretName) != "" {
				t.Errorf("%s has a name", f.Name)
			}
		}
	}
	got := totals(snapshot)
	if got["attempts failure manual"] != 1000 || got["outcomes bad failed"] != 300 {
		t.Errorf("got %v, want 1000 attempts and 300 secrets, as many as are kept", got)
	}
}

// TestFollowedStay: neither what is written to secrets that nobody has to rotate, nor secrets that nobody asks for any
// more, make those forgotten that a poller confirms.
func TestFollowedStay(t *testing.T) {
	c := counters.New(t0, secrets.New(secrets.Options{MaxSecrets: 10}))
	s := &story{t: t, c: c}
	s.says(0, 0)
	for i := range 100 {
		other := secrets.Secret{Store: "aws", Kind: "secret", Scope: "x", Name: fmt.Sprint(i)}
		origin := event.NewOrigin("secretsmanager", secrets.Subject("aws", "", "x", "secret", other.Name), "x", t0, t0)
		s.add(secrets.Attempt{Origin: origin, Secret: other, Result: secrets.Succeeded, Trigger: "manual"}.Event())
		if i%5 == 0 {
			s.add(secrets.State{Origin: origin, Secret: other}.Event())
			s.listed(0, 0)
		}
	}
	s.listed(27, 0)
	if got := totals(s.read(27)); got["outcomes bad missed"] != 1 || got["attempts success manual"] != 100 {
		t.Errorf("got %v, want app missed and 100 attempts", got)
	}
}

// TestForged: an event that somebody else made, and sent as a log record, decides nothing and makes no series.
func TestForged(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	before := s.read(2)
	forged := func(name string, attrs ...event.Attr) event.Event {
		return event.NewOrigin("vault", mount+"/app", "forged", at(2), at(2)).Event(name, time.Time{}, append(attrs, event.Int(event.RotationDue, at(24).Unix()))...)
	}
	s.add(
		forged(event.RotationDecided, event.String(event.Outcome, good)),
		forged(event.RotationDecided, event.String(event.Outcome, "anything"), event.String(event.RotationReason, "anything")),
		forged(event.RotationFailed, event.String(event.RotationResult, "anything")),
	)
	if diff := cmp.Diff(totals(before), totals(s.read(2))); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	for i := range 100 {
		s.add(secrets.Access{
			Origin: event.NewOrigin("vault", mount+"/app", fmt.Sprint("access/", i), at(2), at(2)), Secret: app,
			Operation: fmt.Sprint("x", i), Outcome: fmt.Sprint("x", i), Principal: fmt.Sprint("x", i),
		}.Event())
	}
	if got := totals(s.read(2)); got["secret.accesses"] != 100 {
		t.Errorf("got %v, want 100 accesses", got)
	}
	for _, f := range s.read(2).Families {
		if f.Name == "secret.accesses" && len(f.Points) != 1 {
			t.Errorf("%d series of accesses, want 1", len(f.Points))
		}
	}
}

const good = "good"

// TestOrderOfSecrets: what is said of one secret does not depend on when another is heard of.
func TestOrderOfSecrets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lists [][]event.Event
		for i := range rapid.IntRange(2, 4).Draw(t, "secrets") {
			l := life{interval: 600, window: 60, grace: 60, rotations: []int{-10, 500 + i, 1200, 2100}}
			var list []event.Event
			for n, at := range l.rotations {
				list = append(list, l.state(i, n, max(at, 0)))
			}
			lists = append(lists, list)
		}
		count := func(order []event.Event) map[string]uint64 {
			c := counters.New(t0, secrets.New(secrets.Options{}))
			if err := c.Add(order...); err != nil {
				t.Fatal(err)
			}
			s, err := c.Read(time.Time{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			return totals(s)
		}
		want := count(slices.Concat(lists...))
		var mixed []event.Event
		for len(mixed) < 4*len(lists) {
			i := rapid.IntRange(0, len(lists)-1).Draw(t, "which")
			if len(lists[i]) > 0 {
				mixed, lists[i] = append(mixed, lists[i][0]), lists[i][1:]
			}
		}
		if diff := cmp.Diff(want, count(mixed)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}
