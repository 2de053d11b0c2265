package output

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// faulty is the real disk until its nth call, counted from 0.
type faulty struct {
	disk
	n     *int
	crash bool // if set, the nth call dies half-way and nothing works after it, as in a power cut
}

var errFault = fmt.Errorf("injected: %w", syscall.ENOSPC)

func (f faulty) call(do, half func() error) error {
	*f.n--
	switch {
	case *f.n >= 0:
		return do()
	case f.crash && *f.n == -1:
		return errors.Join(half(), errFault)
	case f.crash || *f.n == -1:
		return errFault
	}
	return do()
}

func (f faulty) write(name string, data []byte, mode fs.FileMode) error {
	return f.call(func() error { return f.disk.write(name, data, mode) },
		func() error { return f.disk.write(name, data[:len(data)/2], mode) })
}

func (f faulty) rename(from, to string) error {
	return f.call(func() error { return f.disk.rename(from, to) }, func() error { return nil })
}

func (f faulty) remove(name string) error {
	return f.call(func() error { return f.disk.remove(name) }, func() error { return nil })
}

// runFaulty applies p with a disk whose nth call fails.
func runFaulty(t *testing.T, p *Plan, n int, crash bool) error {
	t.Helper()
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	a := applier{plan: p, root: root, disk: faulty{rootDisk{root}, &n, crash}}
	return a.run()
}

var (
	was  = map[string]string{"a.yaml": yaml("1"), "b.json": "{1}", "d/c.json": "[1111]", "gone.json": "{}"}
	will = map[string]string{"a.yaml": yaml("2"), "b.json": "{2}", "d/c.json": "[2222]", "e/f/new.json": "{}"}
)

const (
	writes = 6 // four files, two manifests
	calls  = writes + 4 + 1 + 2
)

func TestEveryFailure(t *testing.T) {
	for n := range calls + 1 {
		dir := t.TempDir()
		apply(t, dir, was)
		manifest := read(t, dir, ManifestName)
		err := runFaulty(t, plan(t, dir, will), n, false)
		got := contents(t, dir)
		switch {
		case n == calls:
			if d := cmp.Diff(will, got); err != nil || d != "" {
				t.Fatalf("no fault: %v\n%s", err, d)
			}
		case !errors.Is(err, syscall.ENOSPC):
			t.Errorf("fault %d: got error %v, want the cause", n, err)
		case n < writes:
			if d := cmp.Diff(was, got); d != "" || read(t, dir, ManifestName) != manifest {
				t.Errorf("fault %d while writing changed the directory:\n%s", n, d)
			}
			if !strings.Contains(err.Error(), "no file was changed") {
				t.Errorf("fault %d: error %q does not say that nothing was changed", n, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "e")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("fault %d: new directory was left behind", n)
			}
		default:
			checkMixed(t, n, got)
			checkRecovers(t, dir, n)
		}
	}
}

func TestEveryCrash(t *testing.T) {
	third := map[string]string{"a.yaml": yaml("3"), "b.json": "{3}", "d/c.json": "[3]"}
	for n := range calls {
		dir := t.TempDir()
		apply(t, dir, was)
		put(t, dir, "user.json", "{}")
		if err := runFaulty(t, plan(t, dir, will), n, true); err == nil {
			t.Fatalf("crash %d did not happen", n)
		}
		got := contents(t, dir)
		maps.DeleteFunc(got, func(name, _ string) bool { return strings.Contains(name, tempPrefix) })
		if got["user.json"] != "{}" {
			t.Errorf("crash %d: the user's file is %q", n, got["user.json"])
		}
		delete(got, "user.json")
		checkMixed(t, n, got)
		if p := plan(t, dir, third); len(p.Conflicts) > 0 {
			t.Errorf("crash %d: plan of other contents has conflicts %v", n, p.Conflicts)
		}
		if err := os.Remove(filepath.Join(dir, "user.json")); err != nil {
			t.Fatal(err)
		}
		checkRecovers(t, dir, n)
	}
}

// checkMixed fails unless every file is wholly old or wholly new.
func checkMixed(t *testing.T, n int, got map[string]string) {
	t.Helper()
	for name, data := range got {
		if data != was[name] && data != will[name] {
			t.Errorf("fault %d: %s is %q, want %q or %q", n, name, data, was[name], will[name])
		}
	}
	for name := range was {
		if _, ok := got[name]; !ok && name != "gone.json" {
			t.Errorf("fault %d: %s is gone", n, name)
		}
	}
}

// checkRecovers fails unless planning and applying again gets to the wanted state.
func checkRecovers(t *testing.T, dir string, n int) {
	t.Helper()
	apply(t, dir, will)
	if d := cmp.Diff(will, contents(t, dir)); d != "" {
		t.Errorf("after fault %d and a second apply (-want +got):\n%s", n, d)
	}
	if p := plan(t, dir, will); p.Changed() {
		t.Errorf("after fault %d and a second apply the plan is %v", n, actions(p))
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDirectoryChangedSincePlan(t *testing.T) {
	stale := func(what string, change func(dir string)) {
		t.Helper()
		dir := t.TempDir()
		apply(t, dir, was)
		p := plan(t, dir, will)
		change(dir)
		before := contents(t, dir)
		if err := p.Apply(); err == nil || !strings.Contains(err.Error(), "changed since the plan") {
			t.Errorf("%s: got error %v, want a stale plan", what, err)
		}
		if d := cmp.Diff(before, contents(t, dir)); d != "" {
			t.Errorf("%s: files changed:\n%s", what, d)
		}
	}
	stale("edited", func(dir string) { put(t, dir, "b.json", "{user}") })
	stale("created", func(dir string) { put(t, dir, "e/f/new.json", "{user}") })
	stale("stale file edited", func(dir string) { put(t, dir, "gone.json", "{user}") })
	stale("removed", func(dir string) {
		if err := os.Remove(filepath.Join(dir, "b.json")); err != nil {
			t.Fatal(err)
		}
	})
	stale("replaced by a link", func(dir string) {
		put(t, dir, "target", "{1}")
		link := filepath.Join(dir, "b.json")
		if err := errors.Join(os.Remove(link), os.Symlink("target", link)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTargetThatCannotBeADirectory(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "file", "user")
	for _, target := range []string{"file", "file/sub"} {
		p, err := NewPlan(filepath.Join(dir, target), files(will), Options{})
		if err == nil {
			err = p.Apply()
		}
		if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, target)) || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("%s: got error %v, want that it is not a directory", target, err)
		}
	}
	if d := cmp.Diff(map[string]string{"file": "user"}, contents(t, dir)); d != "" {
		t.Error(d)
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	apply(t, dir, was)
	if err := os.Chmod(filepath.Join(dir, "b.json"), 0o640); err != nil {
		t.Fatal(err)
	}
	apply(t, dir, will)
	put(t, dir, "reference", "")
	if err := os.Mkdir(filepath.Join(dir, "refdir"), 0o755); err != nil {
		t.Fatal(err)
	}
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	same := func(name string, want fs.FileMode) {
		t.Helper()
		if got := mode(name); got != want {
			t.Errorf("%s: got mode %v, want %v", name, got, want)
		}
	}
	same("b.json", 0o640)
	same("e/f/new.json", mode("reference"))
	same(ManifestName, mode("reference"))
	same("e/f", mode("refdir"))
}

func TestNothingToDoWritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	apply(t, dir, nil)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an apply of no files created the directory")
	}
	apply(t, dir, was)
	stat := func() os.FileInfo {
		info, err := os.Stat(filepath.Join(dir, ManifestName))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := stat()
	apply(t, dir, was)
	if !os.SameFile(before, stat()) {
		t.Error("an apply without changes rewrote the manifest")
	}
}

func TestReadersSeeWholeFiles(t *testing.T) {
	dir := t.TempDir()
	states := []map[string]string{{"f.json": strings.Repeat("a", 1<<18)}, {"f.json": strings.Repeat("b", 1<<19)}}
	apply(t, dir, states[0])
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				data, err := os.ReadFile(filepath.Join(dir, "f.json"))
				if got := string(data); err != nil || got != states[0]["f.json"] && got != states[1]["f.json"] {
					t.Errorf("read %d bytes, error %v: want one of the two states", len(data), err)
					return
				}
			}
		})
	}
	for i := range 40 {
		apply(t, dir, states[(i+1)%2])
	}
	close(done)
	wg.Wait()
}

// TestLaw plays generator and user against one directory. Whatever they do: a file of the user is never
// changed or removed without force, an apply that succeeds leaves exactly the generated files beside those
// of the user, and a plan after it is empty.
func TestLaw(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Fatal(err)
		}
		names := []string{"a.json", "b.json", "d/a.json", "d/b.yaml", "c.yaml"}
		user := map[string]string{} // what the user wrote and nobody has removed
		for range rapid.IntRange(1, 5).Draw(t, "rounds") {
			for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "edited") {
				user[name] = fmt.Sprintf("user %d\n", rapid.IntRange(0, 1).Draw(t, "text"))
				put(t, dir, name, user[name])
			}
			for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "deleted") {
				delete(user, name)
				if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			want := map[string]string{}
			for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "generated") {
				want[name] = yaml(fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "version")))
				if strings.HasSuffix(name, ".json") {
					want[name] = strings.TrimPrefix(want[name], Header)
				}
			}
			checkRound(t, dir, want, user)
		}
	})
}

func checkRound(t *rapid.T, dir string, want, user map[string]string) {
	clash := map[string]bool{}
	for name := range want {
		if _, ok := user[name]; ok {
			clash[name] = true
		}
	}
	p := plan(t, dir, want)
	if got := len(p.Conflicts); got != len(clash) {
		t.Fatalf("conflicts are %v, want %v", p.Conflicts, clash)
	}
	before := contents(t, dir)
	err := p.Apply()
	if (err != nil) != (len(clash) > 0) {
		t.Fatalf("apply with conflicts %v: error %v", clash, err)
	}
	after := map[string]string{}
	if err != nil {
		after = before
	} else {
		maps.Copy(after, want)
		maps.Copy(after, user)
	}
	if d := cmp.Diff(after, contents(t, dir)); d != "" {
		t.Fatalf("after apply, error %v (-want +got):\n%s", err, d)
	}
	if err == nil && plan(t, dir, want).Changed() {
		t.Fatalf("second plan is %v, want nothing", actions(plan(t, dir, want)))
	}
}

func BenchmarkPlan(b *testing.B) {
	dir := b.TempDir()
	text := map[string]string{}
	for i := range 300 {
		text[fmt.Sprintf("rules/%03d.yaml", i)] = yaml(strings.Repeat("x: y\n", 1000))
	}
	apply(b, dir, text)
	set := files(text)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewPlan(dir, set, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(set)), "ns/file")
}
