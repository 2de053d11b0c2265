package intake

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
)

// saved is what survives a restart. Fields may be added; old ones keep their name and meaning.
type saved struct {
	Whole []string // sources
	Book  []byte
}

// restore takes the saved book up, or begins a new one.
func (i *Intake) restore(now time.Time) error {
	if i.options.Path == "" {
		i.book = cost.NewBook(now, i.options.Book)
		return nil
	}
	content, err := os.ReadFile(i.options.Path)
	if errors.Is(err, fs.ErrNotExist) {
		i.book = cost.NewBook(now, i.options.Book)
		return os.MkdirAll(filepath.Dir(i.options.Path), 0o700)
	}
	if err != nil {
		return fmt.Errorf("restore costs: %w", err)
	}
	var s saved
	if err := gob.NewDecoder(bytes.NewReader(content)).Decode(&s); err != nil {
		return fmt.Errorf("restore costs from %q: %w; take it away to read all bills anew", i.options.Path, err)
	}
	if i.book, err = cost.Restore(bytes.NewReader(s.Book), i.options.Book); err != nil {
		return fmt.Errorf("%w; take %q away to read all bills anew", err, i.options.Path)
	}
	for _, name := range s.Whole {
		i.whole[name] = true
	}
	return nil
}

// save writes the book and then gives it its name, so that a crash leaves the old one or the new one.
func (i *Intake) save() error {
	if i.options.Path == "" {
		return nil
	}
	var book, all bytes.Buffer
	if err := i.book.Save(&book); err != nil {
		return err
	}
	i.mu.Lock()
	whole := slices.Sorted(maps.Keys(i.whole))
	i.mu.Unlock()
	if err := gob.NewEncoder(&all).Encode(saved{whole, book.Bytes()}); err != nil {
		return fmt.Errorf("save costs: %w", err)
	}
	if err := ledger.ReplaceFile(i.options.Path, all.Bytes()); err != nil {
		return fmt.Errorf("save costs: %w", err)
	}
	return nil
}
