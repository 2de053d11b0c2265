package coverage

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// all stands for all signals that a service should send.
const all = "all"

// maxSeries is for each gauge by service.
const maxSeries = signals * MaxInventory

// Gauges returns what is covered at now.
func (c *Coverage) Gauges(now time.Time) []*metric.Table {
	gauge := func(name, unit, help string, attributes ...string) *metric.Table {
		return metric.NewTable(metric.Family{
			Name: name, Unit: unit, Kind: metric.Gauge, From: "signals passing by", Help: help, Attributes: attributes,
		}, maxSeries)
	}
	coverage := gauge("platform.telemetry.coverage", "{service}", "Whether a service of the inventory sends a signal it should: 1 or 0.", event.Service, event.Team, event.Signal)
	expected := gauge("platform.telemetry.expected", "{service}", "Services of the inventory that should send a signal, or anything at all.", event.Signal)
	covered := gauge("platform.telemetry.covered", "{service}", "Services of the inventory that send a signal they should, or all they should.", event.Signal)
	unlisted := gauge("platform.telemetry.unlisted", "{service}", "Services that send something and are not in the inventory.")
	tables := []*metric.Table{coverage, expected, covered, unlisted}
	if now.IsZero() || c.inventory == nil || c.since.IsZero() {
		return tables
	}
	count := func(t *metric.Table, signal string, yes bool) {
		if s := t.At(1, nil, []event.Attr{event.String(event.Signal, signal)}); yes {
			s.Value++
		}
	}
	services := c.inventory.Services()
	listed := map[string]bool{}
	for _, service := range services {
		for _, name := range service.names() {
			listed[name] = true
		}
		lacks, certain := false, true
		for _, signal := range service.Signals {
			yes, known := c.covers(c.last(service), signal, now)
			lacks, certain = lacks || known && !yes, certain && known
			if !known {
				continue
			}
			s := coverage.At(1, []event.Attr{event.String(event.Service, service.Name), event.String(event.Team, service.Team)},
				[]event.Attr{event.String(event.Signal, signal.String())})
			if yes {
				s.Value = 1
			}
			count(expected, signal.String(), true)
			count(covered, signal.String(), yes)
		}
		if lacks || certain {
			count(expected, all, true)
			count(covered, all, !lacks)
		}
	}
	unlisted.At(1, nil, nil).Value = float64(c.unlisted(listed, now))
	return tables
}

// last returns when the last of each signal came of a service, by whichever of its names.
func (c *Coverage) last(service Service) *seen {
	var last seen
	for _, name := range service.names() {
		if s := c.services.Get(name); s != nil {
			for signal := range last {
				last[signal] = event.Latest(last[signal], s[signal])
			}
		}
	}
	return &last
}

// unlisted returns how many services send something that the inventory does not have.
func (c *Coverage) unlisted(listed map[string]bool, now time.Time) (n int) {
	c.services.All(func(name string, _ time.Time, s *seen) {
		if listed[name] {
			return
		}
		for signal := range Signal(signals) {
			if yes, _ := c.covers(s, signal, now); yes {
				n++
				return
			}
		}
	})
	return n
}
