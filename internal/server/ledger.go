package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ledgerFile says of which SLOs the past is recorded, and by which rules.
const ledgerFile = "slos.json"

// ledger is the content of ledgerFile.
type ledger struct {
	path string
	SLOs map[string]string `json:"slos"` // digest of the rules that record the increments, by SLO
}

// openLedger reads the ledger of a data directory, which may have none yet.
func openLedger(dir string) (*ledger, error) {
	l := &ledger{path: filepath.Join(dir, ledgerFile), SLOs: map[string]string{}}
	text, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, l)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w; if it is damaged, remove it, and the past of all SLOs is evaluated again", l.path, err)
	}
	return l, nil
}

// known returns the SLOs of rs that the ledger has, sorted, without composites of others.
func (l *ledger) known(rs *ruleset) []string {
	var out []string
	for _, name := range rs.names() {
		if _, ok := l.SLOs[name]; ok {
			out = append(out, name)
		}
	}
	return rs.complete(out)
}

// changed returns the SLOs of rs whose past was recorded by other rules, sorted.
func (l *ledger) changed(rs *ruleset) []string {
	var out []string
	for _, name := range rs.names() {
		if was, ok := l.SLOs[name]; ok && was != rs.digests[name] {
			out = append(out, name)
		}
	}
	return out
}

// inDoubt is in place of a digest while the past of an SLO is being replaced.
const inDoubt = "in doubt"

// doubt notes that what is recorded of the SLOs called names is of no rules: it will be changed, whatever the rules.
func (l *ledger) doubt(names []string) error {
	for _, name := range names {
		if _, ok := l.SLOs[name]; ok {
			l.SLOs[name] = inDoubt
		}
	}
	return l.write()
}

// add notes that the past of the SLOs called names is recorded.
func (l *ledger) add(rs *ruleset, names []string) error {
	for _, name := range names {
		l.SLOs[name] = rs.digests[name]
	}
	return l.write()
}

// write replaces the file.
func (l *ledger) write() error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(l.path, append(text, '\n'))
}

// halfWritten is what stands in the name of a file that replaceFile has not finished.
const halfWritten = ".tmp-"

// removeHalfWritten removes what processes left in a directory that were killed during replaceFile.
func removeHalfWritten(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		for _, name := range []string{setFile, ledgerFile, shippedFile} {
			if strings.HasPrefix(e.Name(), name+halfWritten) {
				errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

// replaceFile writes a file so that it has either the old content or the new one, whatever happens.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+halfWritten+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
