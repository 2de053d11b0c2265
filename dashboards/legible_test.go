package dashboards

import "testing"

// On a page of 1280 pixels, of which Grafana leaves about 1200, each title has
// room above its panel, each column of a table room for a short word, and each
// picture height enough to be read. On a phone a panel takes the whole width.
func lintLegible() perDashboard {
	const longName = 22 * 8 // pixels
	least := map[string]int{"stat": 4, "bargauge": 6, "timeseries": 6, "table": 7, "text": 3, "logs": 8}
	return func(t *testing.T, d jsonDashboard) {
		for _, p := range d.all() {
			pixels := 1200 * p.GridPos.W / 24
			need := 8*len([]rune(p.Title)) + 24
			if p.Type == "stat" {
				need = 9*len([]rune(p.Title)) + 72 // what Grafana 12 needs, with the mark of a description
			}
			if need > pixels {
				t.Errorf("title %q needs %d pixels and has %d", p.Title, need, pixels)
			}
			if p.GridPos.H < least[p.Type] {
				t.Errorf("%s %q is %d high, want at least %d", p.Type, p.Title, p.GridPos.H, least[p.Type])
			}
			if p.Type == "bargauge" && p.FieldConfig.Defaults.DisplayName == "" {
				t.Errorf("bars %q have no name where there is one", p.Title)
			}
			if ms := p.FieldConfig.Defaults.Mappings; p.Type == "stat" {
				last := ms[len(ms)-1]
				if r := last.Options.Result; last.Options.Match != "null" || r.Text != p.FieldConfig.Defaults.NoValue || r.Color != neutral {
					t.Errorf("number %q shows nothing as %+v", p.Title, last)
				}
			}
			if p.Type != "table" || p.Datasource.Type != "prometheus" {
				continue
			}
			columns := 0
			for _, tr := range p.Transformations {
				columns = max(columns, len(tr.Options.RenameByName))
			}
			values := 0
			for _, o := range p.FieldConfig.Overrides {
				for _, property := range o.Properties {
					if w, ok := property.Value.(float64); ok && property.ID == "custom.width" {
						values, columns = values+int(w), columns-1
					}
				}
			}
			for _, o := range p.FieldConfig.Overrides {
				if o.Matcher.Options == "SLO" && (pixels-values)/columns < longName {
					t.Errorf("table %q leaves %d pixels for the name of an SLO, want %d", p.Title, (pixels-values)/columns, longName)
				}
			}
			if columns*150+values > pixels {
				t.Errorf("table %q has %d columns in %d pixels", p.Title, columns, pixels)
			}
		}
	}
}
