// Package slo reads SLO specs and compiles them to a Set: the one model of
// which rules, dashboards, reports, the release gate and the backtest are views.
//
//	files, findings := slo.ReadDir("specs")
//	set, found := slo.Compile(files)
//
// A Set is plain data: sorted, every default filled in, every value with the
// place it was written at. It is written as versioned JSON with a digest and
// read back by Read.
package slo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// SetVersion names the JSON form of a Set. It changes when a reader of the old
// form would misread the new one.
const SetVersion = "plimsoll.dev/set/v1"

// APIVersion is the apiVersion of the documents that this package reads.
const APIVersion = "plimsoll.dev/v1"

// Findings is what is wrong with a set of files: see package diag for its
// severities and outputs.
type Findings = diag.List

// Pos is a place in a spec file.
type Pos = diag.Pos

// Set is a compiled directory of specs. The objects of each kind are sorted by
// name, and every reference leads to an object of the Set. A Set is not changed
// after Compile and is safe for concurrent use.
type Set struct {
	Version     string         `json:"version"`
	Digest      string         `json:"digest"` // sha256 of the meaning: places do not count
	Services    []Service      `json:"services"`
	DataSources []DataSource   `json:"dataSources"`
	Profiles    []AlertProfile `json:"alertProfiles"`
	Policies    []BudgetPolicy `json:"budgetPolicies"`
	SLOs        []SLO          `json:"slos"`
	Adjustments []Adjustment   `json:"adjustments"`
	Reports     []Report       `json:"reports"`
}

// Meta is what every object has.
type Meta struct {
	Name        string            `json:"name"`
	DisplayName string            `json:"displayName,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	At          Pos               `json:"at,omitzero"`
	Places      []Place           `json:"places,omitempty"` // sorted by path; defaults have none
}

// Title returns the display name, or the name when there is none.
func (m Meta) Title() string {
	if m.DisplayName != "" {
		return m.DisplayName
	}
	return m.Name
}

// Place says where the value of a field was written.
type Place struct {
	Path string `json:"path"` // dotted path in the document, for example spec.objective.target
	Pos
}

// PlaceOf returns where the value at path was written: the longest known
// prefix of path, or the object itself.
func (m Meta) PlaceOf(path string) Pos {
	best, at := 0, m.At
	for _, p := range m.Places {
		if n := len(p.Path); n > best && (p.Path == path || len(path) > n && path[:n] == p.Path && (path[n] == '.' || path[n] == '[')) {
			best, at = n, p.Pos
		}
	}
	return at
}

// SLO returns the SLO of this name.
func (s *Set) SLO(name string) (*SLO, bool) {
	return find(s.SLOs, name, func(x *SLO) string { return x.Name })
}

// Service returns the service of this name.
func (s *Set) Service(name string) (*Service, bool) {
	return find(s.Services, name, func(x *Service) string { return x.Name })
}

// Profile returns the alert profile of this name.
func (s *Set) Profile(name string) (*AlertProfile, bool) {
	return find(s.Profiles, name, func(x *AlertProfile) string { return x.Name })
}

// Policy returns the budget policy of this name.
func (s *Set) Policy(name string) (*BudgetPolicy, bool) {
	return find(s.Policies, name, func(x *BudgetPolicy) string { return x.Name })
}

// DataSource returns the data source of this name.
func (s *Set) DataSource(name string) (*DataSource, bool) {
	return find(s.DataSources, name, func(x *DataSource) string { return x.Name })
}

// find searches a slice that is sorted by name.
func find[T any](sorted []T, name string, nameOf func(*T) string) (*T, bool) {
	lo, hi := 0, len(sorted)
	for lo < hi {
		mid := (lo + hi) / 2
		if nameOf(&sorted[mid]) < name {
			lo = mid + 1
			continue
		}
		hi = mid
	}
	if lo < len(sorted) && nameOf(&sorted[lo]) == name {
		return &sorted[lo], true
	}
	return nil, false
}

// WriteTo writes s as indented JSON, byte-identical for equal sets.
func (s *Set) WriteTo(w io.Writer) (int64, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("write set: %w", err)
	}
	n, err := w.Write(append(b, '\n'))
	return int64(n), err
}

// Read reads what WriteTo wrote. It refuses another version, unknown fields,
// and a digest that does not fit the content.
func Read(r io.Reader) (*Set, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var s Set
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("read set: %w", err)
	}
	if s.Version != SetVersion {
		return nil, fmt.Errorf("read set: want version %q, have %q", SetVersion, s.Version)
	}
	if want := s.digest(); s.Digest != want {
		return nil, fmt.Errorf("read set: digest is %q but the content has %q: the file was changed by hand", s.Digest, want)
	}
	return &s, nil
}

// digest returns the digest of s with all places taken out, so that moving
// text inside or between files does not change it.
func (s *Set) digest() string {
	c := *s
	c.Digest = ""
	c.Services = bare(s.Services, func(x *Service) *Meta { return &x.Meta })
	c.DataSources = bare(s.DataSources, func(x *DataSource) *Meta { return &x.Meta })
	c.Profiles = bare(s.Profiles, func(x *AlertProfile) *Meta { return &x.Meta })
	c.Policies = bare(s.Policies, func(x *BudgetPolicy) *Meta { return &x.Meta })
	c.SLOs = bare(s.SLOs, func(x *SLO) *Meta { return &x.Meta })
	c.Adjustments = bare(s.Adjustments, func(x *Adjustment) *Meta { return &x.Meta })
	c.Reports = bare(s.Reports, func(x *Report) *Meta { return &x.Meta })
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(c); err != nil {
		panic("slo: set does not encode: " + err.Error())
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// bare copies in without places.
func bare[T any](in []T, meta func(*T) *Meta) []T {
	out := make([]T, len(in))
	copy(out, in)
	for i := range out {
		m := meta(&out[i])
		m.At, m.Places = Pos{}, nil
	}
	return out
}
