package output

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// ConflictError is returned by Apply for a plan with conflicts. It names all of them.
type ConflictError struct{ Conflicts []Conflict }

// Error lists one conflict a line.
func (e *ConflictError) Error() string {
	var b strings.Builder
	for i, c := range e.Conflicts {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s (%s)", c.Path, c.Reason, c.Hint)
	}
	return b.String()
}

// Apply makes the directory what the plan says. A plan with conflicts is refused with a *ConflictError,
// and so is a directory that has changed since the plan was made; then nothing is written.
//
// All new contents are first written to temporary files beside their targets and synced; only then are
// they renamed into place, so a reader sees a file as it was or as it will be, never a part. If writing
// fails (no space, no permission) the temporary files and new directories are removed and the old state
// stands. If a rename or removal fails, the error says how many files were changed, and a new plan
// carries on from there; the same holds after a crash. The set as a whole is not switched at one instant.
//
// A replaced file keeps its permission bits (not its owner), a new one gets 0644 and a new directory 0755,
// both less the umask. Empty directories stay. Two applies to one directory at a time need a lock outside.
func (p *Plan) Apply() error {
	if len(p.Conflicts) > 0 {
		return &ConflictError{p.Conflicts}
	}
	if !p.Changed() && bytes.Equal(p.after().text(), p.wasText) || len(p.Changes) == 0 && len(p.wasText) == 0 {
		return nil
	}
	made, err := makeDir(p.Dir)
	if err != nil {
		return errors.Join(fmt.Errorf("apply to %q: %w", p.Dir, err), removeDirs(made))
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return errors.Join(fmt.Errorf("apply to %q: %w", p.Dir, err), removeDirs(made))
	}
	defer root.Close()
	a := applier{plan: p, root: root, disk: rootDisk{root}}
	if err := a.run(); err != nil {
		return errors.Join(fmt.Errorf("apply to %q: %w", p.Dir, err), removeDirs(made))
	}
	return nil
}

// disk is what changes file contents; tests put one in between that fails.
type disk interface {
	// write creates name, which must not exist, with data on stable storage. A mode of 0 means 0644 less
	// the umask. On error nothing is left at name.
	write(name string, data []byte, mode fs.FileMode) error
	rename(from, to string) error
	remove(name string) error
}

// applier carries one Apply.
type applier struct {
	plan *Plan
	root *os.Root
	disk disk

	temps []string // written and not yet renamed
	dirs  []string // created, parents first
	done  int      // files created, updated or removed
}

// staged is a temporary file and the place that it will be renamed to.
type staged struct{ temp, to string }

func (a *applier) run() error {
	if err := a.verify(); err != nil {
		return fmt.Errorf("%w; no file was changed", err)
	}
	files, during, after, err := a.stage()
	if err != nil {
		return errors.Join(fmt.Errorf("%w; no file was changed", err), a.discard())
	}
	if err := a.commit(files, during, after); err != nil {
		total := 0
		for _, c := range a.plan.Changes {
			if c.Action.writes() {
				total++
			}
		}
		err = fmt.Errorf("%w; %d of %d files were changed, plan and apply again to finish", err, a.done, total)
		return errors.Join(err, a.discard())
	}
	return nil
}

// verify fails if a file that the plan changes is no longer what the plan saw.
func (a *applier) verify() error {
	for _, c := range a.plan.Changes {
		if !c.Action.writes() {
			continue
		}
		have, err := tree{a.root}.read(c.Path)
		if err != nil {
			return err
		}
		if have.obstacle != "" || have.exists == (c.Action == Create) || !bytes.Equal(have.data, c.Old) {
			return fmt.Errorf("%q has changed since the plan was made", c.Path)
		}
	}
	return nil
}

// stage writes everything that commit renames.
func (a *applier) stage() (files []staged, during, after staged, err error) {
	for _, c := range a.plan.Changes {
		if c.Action != Create && c.Action != Update {
			continue
		}
		if err := a.mkdirs(path.Dir(c.Path)); err != nil {
			return nil, during, after, err
		}
		s, err := a.temp(c.Path, c.New, c.mode)
		if err != nil {
			return nil, during, after, err
		}
		files = append(files, s)
	}
	if during, err = a.temp(ManifestName, a.plan.during().text(), 0); err != nil {
		return nil, during, after, err
	}
	after, err = a.temp(ManifestName, a.plan.after().text(), 0)
	return files, during, after, err
}

// commit renames and removes. The manifest goes first with old and new sums, and last with new ones only.
func (a *applier) commit(files []staged, during, after staged) error {
	if err := a.rename(during); err != nil {
		return err
	}
	if err := a.syncDir("."); err != nil {
		return err
	}
	touched := map[string]bool{}
	for _, s := range files {
		if err := a.rename(s); err != nil {
			return err
		}
		a.done++
		touched[path.Dir(s.to)] = true
	}
	for _, c := range a.plan.Changes {
		if c.Action != Remove {
			continue
		}
		if err := a.disk.remove(c.Path); err != nil {
			return fmt.Errorf("remove %q: %w", c.Path, err)
		}
		a.done++
		touched[path.Dir(c.Path)] = true
	}
	for dir := range touched {
		if err := a.syncDir(dir); err != nil {
			return err
		}
	}
	if err := a.rename(after); err != nil {
		return err
	}
	return a.syncDir(".")
}

func (a *applier) temp(to string, data []byte, mode fs.FileMode) (staged, error) {
	s := staged{path.Join(path.Dir(to), tempPrefix+rand.Text()), to}
	if err := a.disk.write(s.temp, data, mode); err != nil {
		return staged{}, fmt.Errorf("write %q: %w", to, err)
	}
	a.temps = append(a.temps, s.temp)
	return s, nil
}

func (a *applier) rename(s staged) error {
	if err := a.disk.rename(s.temp, s.to); err != nil {
		return fmt.Errorf("replace %q: %w", s.to, err)
	}
	a.temps = slices.DeleteFunc(a.temps, func(t string) bool { return t == s.temp })
	return nil
}

// mkdirs creates dir and its parents below the root and notes those that are new.
func (a *applier) mkdirs(dir string) error {
	if dir == "." {
		return nil
	}
	if err := a.mkdirs(path.Dir(dir)); err != nil {
		return err
	}
	err := a.root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		a.dirs = append(a.dirs, dir)
	}
	return err
}

// discard removes what a failed apply has left: its temporary files, and its directories if empty.
func (a *applier) discard() error {
	var errs []error
	for _, name := range a.temps {
		errs = append(errs, a.disk.remove(name))
	}
	for _, dir := range slices.Backward(a.dirs) {
		if entries, err := fs.ReadDir(a.root.FS(), dir); err == nil && len(entries) == 0 {
			errs = append(errs, a.root.Remove(dir))
		}
	}
	return errors.Join(errs...)
}

func (a *applier) syncDir(dir string) error {
	if runtime.GOOS == "windows" { // a directory cannot be synced there
		return nil
	}
	f, err := a.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// rootDisk is the real disk.
type rootDisk struct{ root *os.Root }

func (d rootDisk) write(name string, data []byte, mode fs.FileMode) error {
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && mode != 0 {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.root.Remove(name))
	}
	return nil
}

func (d rootDisk) rename(from, to string) error { return d.root.Rename(from, to) }

func (d rootDisk) remove(name string) error { return d.root.Remove(name) }

// makeDir is os.MkdirAll that returns the directories it created, parents first.
func makeDir(dir string) (made []string, err error) {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if made, err = makeDir(parent); err != nil {
			return made, err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return made, err
	}
	return append(made, dir), nil
}

// removeDirs removes the directories of makeDir as far as they are empty.
func removeDirs(made []string) error {
	var errs []error
	for _, dir := range slices.Backward(made) {
		if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
			errs = append(errs, os.Remove(dir))
		}
	}
	return errors.Join(errs...)
}
