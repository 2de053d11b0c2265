package coverage

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// MaxInventory is the most services of an inventory.
const MaxInventory = 5000

// Service is one of the inventory.
type Service struct {
	// Name is the service.name it sends, Aliases are others that it sends as well.
	Name    string
	Aliases []string
	// Team owns it; it may be empty.
	Team string
	// Signals are those it should send, in order, at least one.
	Signals []Signal
}

// names returns all names.
func (s Service) names() []string { return append([]string{s.Name}, s.Aliases...) }

// Inventory is a list of services that can be replaced. It is safe for concurrent use. The zero value is empty.
type Inventory struct{ services atomic.Pointer[[]Service] }

// Services returns the present list, which must not be changed.
func (i *Inventory) Services() []Service {
	if p := i.services.Load(); p != nil {
		return *p
	}
	return nil
}

// Load replaces the list by what is in the files that patterns of package path/filepath name, see Parse. After an error
// the list is as it was.
func (i *Inventory) Load(patterns ...string) error {
	var files []string
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("inventory %q: %w", pattern, err)
		}
		if len(matches) == 0 {
			return fmt.Errorf("inventory %q: want at least one file, have none", pattern)
		}
		files = append(files, matches...)
	}
	var services []Service
	var errs []error
	for _, file := range slices.Compact(slices.Sorted(slices.Values(files))) {
		b, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("inventory: %w", err))
			continue
		}
		some, err := Parse(file, b)
		services, errs = append(services, some...), append(errs, err)
	}
	errs = append(errs, check(services))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	i.services.Store(&services)
	return nil
}

// check reports what is wrong with the list as a whole.
func check(services []Service) error {
	if len(services) == 0 || len(services) > MaxInventory {
		return fmt.Errorf("inventory: want 1 to %d services, have %d", MaxInventory, len(services))
	}
	owner := map[string]string{}
	for _, s := range services {
		for _, name := range s.names() {
			if other, taken := owner[name]; taken {
				return fmt.Errorf("inventory: %q is a name of both %q and %q", name, other, s.Name)
			}
			owner[name] = s.Name
		}
	}
	return nil
}

// Parse returns the services in the documents of a YAML file. A document has a list of services, or is an entity of
// Backstage's catalog, of which components of the type service that are not deprecated count. The error has a line for
// everything that is wrong, with its place.
func Parse(file string, b []byte) ([]Service, error) {
	documents, wrong := yamlsrc.Parse(file, b)
	r := &reader{}
	for _, d := range wrong {
		r.errs = append(r.errs, fmt.Errorf("%s:%d:%d: %s", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Msg))
	}
	var services []Service
	for _, document := range documents {
		fields := r.fields(document)
		if !fields["kind"].IsZero() && !fields["metadata"].IsZero() {
			if s, ok := r.entity(fields); ok {
				services = append(services, s)
			}
			continue
		}
		r.only(document, fields, "services")
		if fields["services"].Kind() != yamlsrc.Sequence {
			r.bad(cmp.Or(fields["services"], document), "want a list of services, or an entity of Backstage's catalog")
		}
		for _, item := range fields["services"].Items() {
			services = append(services, r.service(item))
		}
	}
	return services, errors.Join(r.errs...)
}

// reader collects what is wrong.
type reader struct{ errs []error }

func (r *reader) bad(v yamlsrc.Value, format string, args ...any) {
	at := v.Pos()
	r.errs = append(r.errs, fmt.Errorf("%s:%d:%d: %s", at.File, at.Line, at.Col, fmt.Sprintf(format, args...)))
}

// fields returns the fields of a mapping by name; anything else has none.
func (r *reader) fields(v yamlsrc.Value) map[string]yamlsrc.Value {
	if v.Kind() != yamlsrc.Mapping {
		return nil
	}
	fields, wrong := v.Fields()
	for _, d := range wrong {
		r.errs = append(r.errs, fmt.Errorf("%s:%d:%d: %s", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Msg))
	}
	byName := map[string]yamlsrc.Value{}
	for _, f := range fields {
		byName[f.Name] = f.Value
	}
	return byName
}

// only reports fields that are not known.
func (r *reader) only(v yamlsrc.Value, fields map[string]yamlsrc.Value, known ...string) {
	if v.Kind() != yamlsrc.Mapping {
		r.bad(v, "want a mapping, have %v", v.Kind())
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			r.bad(fields[name], "unknown field %q, want one of %s", name, strings.Join(known, ", "))
		}
	}
}

func (r *reader) service(v yamlsrc.Value) Service {
	if v.Kind() == yamlsrc.String {
		return Service{Name: r.name(v), Signals: []Signal{Metrics, Logs, Traces}}
	}
	fields := r.fields(v)
	r.only(v, fields, "name", "team", "aliases", "signals")
	if fields["name"].IsZero() {
		r.bad(v, "want a name, have none")
		return Service{}
	}
	s := Service{Name: r.name(fields["name"]), Team: event.Clean(fields["team"].Text()), Signals: []Signal{Metrics, Logs, Traces}}
	for _, alias := range fields["aliases"].Items() {
		s.Aliases = append(s.Aliases, r.name(alias))
	}
	if signals := fields["signals"]; !signals.IsZero() {
		s.Signals = nil
		for _, item := range signals.Items() {
			s.Signals = r.signal(item, item.Text(), s.Signals)
		}
		if len(s.Signals) == 0 {
			r.bad(signals, "want some of metrics, logs, traces")
		}
	}
	return s
}

func (r *reader) name(v yamlsrc.Value) string {
	name := v.Text()
	if name == "" || name != event.Clean(name) {
		r.bad(v, "want a name of 1 to %d printable bytes", event.MaxText)
	}
	return name
}

func (r *reader) signal(v yamlsrc.Value, word string, have []Signal) []Signal {
	for s := range Signal(signals) {
		if s.String() == strings.TrimSpace(word) {
			if slices.Contains(have, s) {
				r.bad(v, "%s is there twice", s)
				return have
			}
			return append(have, s)
		}
	}
	r.bad(v, "want metrics, logs or traces, have %q", event.Clean(word))
	return have
}

// Annotations of an entity: the service.name it sends if that is not its name, and the signals it should send.
const (
	annotationName    = "plimsoll.dev/service-name"
	annotationSignals = "plimsoll.dev/telemetry"
)

// entity reads a component of Backstage's catalog; ok is false if it is something else.
func (r *reader) entity(fields map[string]yamlsrc.Value) (s Service, ok bool) {
	metadata, spec := r.fields(fields["metadata"]), r.fields(fields["spec"])
	if fields["kind"].Text() != "Component" || spec["type"].Text() != "service" || spec["lifecycle"].Text() == "deprecated" {
		return Service{}, false
	}
	annotations := r.fields(metadata["annotations"])
	owner := spec["owner"].Text()
	s = Service{
		Name: r.name(cmp.Or(annotations[annotationName], metadata["name"], fields["metadata"])),
		Team: event.Clean(owner[max(strings.LastIndexByte(owner, '/'), strings.LastIndexByte(owner, ':'))+1:]), Signals: []Signal{Metrics, Logs, Traces},
	}
	if v := annotations[annotationSignals]; !v.IsZero() {
		s.Signals = nil
		for _, word := range strings.Split(v.Text(), ",") {
			s.Signals = r.signal(v, word, s.Signals)
		}
	}
	return s, true
}
