package secrets_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
)

// killVariable makes this test binary the process that is killed: the directory of its ledger, and the minute at which
// it goes on.
const killVariable = "PLIMSOLL_TEST_ROTATION"

func TestMain(m *testing.M) {
	dir, minute, ok := strings.Cut(os.Getenv(killVariable), "\n")
	if !ok {
		os.Exit(m.Run())
	}
	from, err := strconv.Atoi(minute)
	if err == nil {
		err = play(dir, from, func(now int) { fmt.Println(now) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killed are the lives that are played: in time, late, never again.
func killed() []life {
	return []life{
		{interval: 300, window: 30, grace: 30, rotations: []int{-100, 210, 550, 870, 1180, 1500, 1850, 2140}},
		{interval: 400, grace: 40, rotations: []int{-10, 395, 900, 1100, 1610}},
		{interval: 250, grace: 25, rotations: []int{-200, 60}},
	}
}

// play polls the lives from a minute on and counts them in the ledger of a directory. A new poller tells everything. done
// is told each minute that is counted.
func play(dir string, from int, done func(int)) error {
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := counters.Open(l, t0, secrets.New(secrets.Options{}))
	if err != nil {
		return err
	}
	told := map[int]int{}
	for now := from; now < end; now += every {
		if err := c.Add(look(killed(), indexes(3), told, now)...); err != nil {
			return err
		}
		if _, err := c.Read(minute(now), 0); err != nil {
			return err
		}
		if now%370 == 0 {
			if err := c.Compact(); err != nil {
				return err
			}
		}
		done(now)
	}
	return nil
}

// TestKill: a process that is killed at any time, again and again, has in the end counted what one that lived did.
func TestKill(t *testing.T) {
	dir, from := t.TempDir(), 0
	for from < end {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), killVariable+"="+dir+"\n"+strconv.Itoa(from))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 5 + rand.IntN(60); left > 0 && lines.Scan(); left-- {
			now, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(err)
			}
			from = now + every
		}
		_ = child.Process.Kill()
		for lines.Scan() { // what it did before it died
			if now, err := strconv.Atoi(lines.Text()); err == nil {
				from = now + every
			}
		}
		_ = child.Wait()
	}
	want, got := t.TempDir(), dir
	if err := play(want, 0, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counted(t, want), counted(t, got)); diff != "" {
		t.Errorf("(-undisturbed +killed):\n%s", diff)
	}
	var good, bad uint64
	for _, l := range killed() {
		g, b := l.truth()
		good, bad = good+g, bad+b
	}
	totals := counted(t, got)
	if totals["outcomes good"] != good || totals["outcomes bad missed"]+totals["outcomes bad late"] != bad || bad == 0 {
		t.Errorf("got %v, want %d good and %d bad", totals, good, bad)
	}
}

// counted returns what the ledger of a directory has counted.
func counted(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := counters.Open(l, t0, secrets.New(secrets.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Read(time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return totals(s)
}

// BenchmarkSettled reads counters with 20,000 secrets of which none is due.
func BenchmarkSettled(b *testing.B) {
	c := counters.New(t0, secrets.New(secrets.Options{}))
	for i := range 20_000 {
		if err := c.Add((life{interval: 1000, rotations: []int{0}}).state(i, 0, 1)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(minute(2), 1<<60); err != nil {
			b.Fatal(err)
		}
	}
}
