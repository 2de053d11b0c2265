package cost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// The columns of OpenCost's export that are read, and no others.
const (
	exportTotal = iota
	exportDate
	exportNamespace
	exportLabels
)

var exportColumns = []column{
	exportTotal:     {names: []string{"totalcost"}, required: true},
	exportDate:      {names: []string{"date"}, required: true},
	exportNamespace: {names: []string{"namespace"}},
	exportLabels:    {names: []string{"labels"}},
}

// openCost is the provider of what OpenCost allocates.
const openCost = "opencost"

// export reads a row of OpenCost's export: one day of a container.
func (r *reader) export() {
	row := &r.row
	row.Provider, row.Category = openCost, Usage
	r.must(exportTotal, "allocated", &row.Costs[Allocated])
	r.charge(exportDate, exportDate)
	row.Charge.End = row.Charge.Start.AddDate(0, 0, 1)
	r.tagObject(r.field(exportLabels))
	r.workload(string(r.field(exportNamespace)), "", "")
}

// The names of workloads as tags, so that rules can use them. A label of that name comes first.
const (
	TagNamespace  = "kubernetes_namespace"
	TagController = "kubernetes_controller"
	TagCluster    = "kubernetes_cluster"
)

// idleName is what OpenCost calls capacity that nothing asked for.
const idleName = "__idle__"

// workload adds what Kubernetes calls a workload to the tags.
func (r *reader) workload(namespace, controller, cluster string) {
	if namespace == idleName {
		r.row.Category, namespace = Idle, ""
	}
	for _, t := range []Tag{{TagNamespace, namespace}, {TagController, controller}, {TagCluster, cluster}} {
		if t.Value != "" {
			r.row.Tags = append(r.row.Tags, t)
		}
	}
}

// allocationAnswer is what is read of an answer of /allocation, and nothing else.
type allocationAnswer struct {
	Code int
	Data []map[string]*struct {
		Properties struct {
			Cluster, Namespace, Controller string
			Labels, NamespaceLabels        map[string]string
		}
		Window struct{ Start, End string }
		Start  string
		End    string
		// Null is no number: OpenCost writes it for NaN.
		TotalCost json.RawMessage
	}
}

// allocation reads an answer of /allocation. The period of a charge is the window that was asked for: ask for whole days,
// or data seems older than it is. The total includes adjustments and shared and external cost, as OpenCost sums it up.
func (r *reader) allocation(in io.Reader) error {
	var answer allocationAnswer
	if err := decodeAll(in, &answer); err != nil {
		return err
	}
	if answer.Code != 200 {
		return fmt.Errorf("it says code %d, want 200", answer.Code)
	}
	for _, set := range answer.Data {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			r.begin(r.report.Rows + 1)
			a := set[name]
			if a == nil {
				r.refuse("", BadSyntax)
				r.report.Bad++
				continue
			}
			r.row.Provider, r.row.Category = openCost, Usage
			r.number(a.TotalCost, "allocated", &r.row.Costs[Allocated])
			r.window(a.Window.Start, a.Window.End, a.Start, a.End)
			r.labels(a.Properties.Labels)
			r.labels(a.Properties.NamespaceLabels)
			if name == idleName || strings.HasSuffix(name, "/"+idleName) {
				a.Properties.Namespace = idleName
			}
			r.workload(a.Properties.Namespace, a.Properties.Controller, a.Properties.Cluster)
			r.end()
		}
	}
	return nil
}

// cloudAnswer is what is read of an answer of /cloudCost, and nothing else.
type cloudAnswer struct {
	Code int
	Data struct {
		Sets []struct {
			CloudCosts map[string]*struct {
				Properties struct {
					Provider string
					Labels   map[string]string
				}
				Window                                   struct{ Start, End string }
				ListCost, AmortizedNetCost, InvoicedCost cloudCost
			}
		}
	}
}

type cloudCost struct{ Cost json.RawMessage }

// cloudCost reads an answer of /cloudCost: invoiced cost is billed, amortised net cost effective.
func (r *reader) cloudCost(in io.Reader) error {
	var answer cloudAnswer
	if err := decodeAll(in, &answer); err != nil {
		return err
	}
	if answer.Code != 200 {
		return fmt.Errorf("it says code %d, want 200", answer.Code)
	}
	for _, set := range answer.Data.Sets {
		for _, name := range slices.Sorted(maps.Keys(set.CloudCosts)) {
			r.begin(r.report.Rows + 1)
			c := set.CloudCosts[name]
			if c == nil {
				r.refuse("", BadSyntax)
				r.report.Bad++
				continue
			}
			if r.row.Provider = plain(c.Properties.Provider); r.row.Provider == "" {
				r.row.Provider = unknownProvider
			}
			r.row.Category = Usage
			r.number(c.InvoicedCost.Cost, "billed", &r.row.Costs[Billed])
			r.number(c.AmortizedNetCost.Cost, "effective", &r.row.Costs[Effective])
			r.number(c.ListCost.Cost, "list", &r.row.Costs[List])
			r.window(c.Window.Start, c.Window.End, "", "")
			r.labels(c.Properties.Labels)
			r.end()
		}
	}
	return nil
}

// decodeAll reads one JSON value with nothing behind it. Errors say where, but not what was read.
func decodeAll(in io.Reader, into any) error {
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if err = json.Unmarshal(content, into); err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("bad JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("JSON value of the wrong type at byte %d", kind.Offset)
	}
	return errors.New("JSON value of the wrong type")
}

// number reads a JSON number into a cost. Digits beyond those of an Amount are dropped: they are of binary floats.
func (r *reader) number(n json.RawMessage, name string, into *Cost) {
	if n == nil || string(n) == "null" {
		return
	}
	a, err := parseAmount(string(n), true)
	if err != nil {
		r.refuse(name, BadAmount)
		return
	}
	*into = Cost{a, true}
}

// window reads the period of a charge: the window, or if there is none the start and end of what was seen.
func (r *reader) window(start, end, otherStart, otherEnd string) {
	if start == "" {
		start, end = otherStart, otherEnd
	}
	for _, t := range []struct {
		text string
		into *time.Time
	}{{start, &r.row.Charge.Start}, {end, &r.row.Charge.End}} {
		var err error
		if *t.into, err = r.times.parse([]byte(t.text)); err != nil {
			r.refuse("charge", BadTime)
			return
		}
	}
}

// labels adds labels to the tags, in order.
func (r *reader) labels(labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if len(r.row.Tags) < maxTags {
			r.row.Tags = append(r.row.Tags, Tag{key, labels[key]})
		}
	}
}
