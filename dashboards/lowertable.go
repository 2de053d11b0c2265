//lint:file-ignore SA1019 as in lower.go

package dashboards

import (
	"unicode/utf8"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

func tableOptions(p panel) table.Options {
	o := table.Options{ShowHeader: true, CellHeight: new(common.TableCellHeightSm)}
	if p.sortBy != "" {
		o.SortBy = []common.TableSortByFieldState{{DisplayName: p.sortBy, Desc: &p.mostFirst}}
	}
	return o
}

// field is the name that Grafana gives to what a column shows: a label keeps
// its name, and values are named after their query if there are several.
func field(p panel, of string) string {
	switch {
	case len(of) != 1:
		return of
	case len(p.queries) == 1:
		return "Value"
	}
	return "Value #" + of
}

// tableTransformations joins the queries to one row per set of labels, and
// orders, names and hides the columns.
func tableTransformations(p panel) []dashboard.DataTransformerConfig {
	index, rename := map[string]int{}, map[string]string{}
	hide := map[string]bool{"Time": true}
	for i := range p.queries {
		hide[field(p, letter(i))] = true
	}
	for i, c := range p.columns {
		f := field(p, c.of)
		if c.hidden {
			hide[f] = true
			continue
		}
		index[f], rename[f] = i, c.title
		delete(hide, f)
	}
	return []dashboard.DataTransformerConfig{
		{Id: "merge", Options: map[string]any{}},
		{Id: "organize", Options: map[string]any{"excludeByName": hide, "indexByName": index, "renameByName": rename}},
	}
}

// columnOverrides gives each column its own unit, colours, texts and links.
func columnOverrides(p panel) []dashboard.DashboardFieldConfigSourceOverrides {
	var out []dashboard.DashboardFieldConfigSourceOverrides
	for _, c := range p.columns {
		if c.hidden {
			continue
		}
		out = append(out, dashboard.DashboardFieldConfigSourceOverrides{
			Matcher: dashboard.MatcherConfig{Id: "byName", Options: c.title}, Properties: columnProperties(c),
		})
	}
	return out
}

// columnWidth is the width of a column of values, in pixels: room for its title. What is left is for the names, which
// are longer.
func columnWidth(c column) int {
	width := 8*utf8.RuneCountInString(c.title) + 32
	if c.gauge {
		return max(width, 150)
	}
	return max(width, 90)
}

// noCell is what an empty cell shows.
const noCell = "–"

func columnProperties(c column) []dashboard.DynamicConfigValue {
	var out []dashboard.DynamicConfigValue
	add := func(id string, value any) { out = append(out, dashboard.DynamicConfigValue{Id: id, Value: value}) }
	add("noValue", noCell) // else every empty cell says what an empty panel means
	if len(c.of) == 1 {
		add("custom.width", columnWidth(c))
	}
	if c.unit != "" {
		add("unit", c.unit)
	}
	if c.decimals > 0 {
		add("decimals", c.decimals)
	}
	mappings := lowerMappings(c.mappings)
	if len(c.thresholds) > 0 {
		mappings = append(mappings, nothing(noCell, len(mappings)))
	}
	if len(mappings) > 0 {
		add("mappings", mappings)
	}
	if len(c.thresholds) > 0 {
		add("thresholds", lowerThresholds(c.thresholds))
	}
	switch {
	case c.gauge:
		add("min", 0)
		add("max", 1)
		add("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "color"})
	case len(c.thresholds) > 0:
		add("custom.cellOptions", map[string]any{"type": "color-text"})
	}
	if len(c.links) > 0 {
		var links []map[string]any
		for _, l := range c.links {
			links = append(links, map[string]any{"title": l.title, "url": l.url, "targetBlank": false})
		}
		add("links", links)
	}
	return out
}
