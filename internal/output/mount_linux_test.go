package output

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/mounttest"
)

// mount puts a small file system of its own at a new directory.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	if !mounttest.InNamespace(t) {
		return
	}
	dir := mount(t, "size=128k")
	apply(t, dir, was)
	big := map[string]string{"a.yaml": yaml("2"), "b.json": "{2}", "new/huge.json": strings.Repeat("x", 1<<18)}
	err := plan(t, dir, big).Apply()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), `"new/huge.json"`) {
		t.Errorf("got error %v, want ENOSPC for new/huge.json", err)
	}
	if d := cmp.Diff(was, contents(t, dir)); d != "" {
		t.Errorf("a full disk changed files:\n%s", d)
	}
	if entries, err := filepath.Glob(filepath.Join(dir, "new")); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	delete(big, "new/huge.json")
	apply(t, dir, big)
}

func TestReadOnlyDirectory(t *testing.T) {
	if !mounttest.InNamespace(t) {
		return
	}
	dir := mount(t, "size=128k")
	apply(t, dir, was)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := plan(t, dir, was).Apply(); err != nil {
		t.Errorf("nothing to do, but got error %v", err)
	}
	err := plan(t, dir, will).Apply()
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "no file was changed") {
		t.Errorf("got error %v, want EROFS and that no file was changed", err)
	}
	if d := cmp.Diff(was, contents(t, dir)); d != "" {
		t.Errorf("files changed:\n%s", d)
	}
}
