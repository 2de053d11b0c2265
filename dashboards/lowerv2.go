//lint:file-ignore SA1019 as in lower.go

package dashboards

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	v2 "github.com/grafana/grafana-foundation-sdk/go/dashboardv2beta1"
)

// This file alone knows the second of Grafana's schemas, in which panels are elements that a layout places. What a panel
// draws, and how, is the same in both schemas, so it is taken from lower.go.

// lowerV2 returns d as the spec of a resource of schema V2Beta1 or V2. The ids of panels are those of the classic
// schema, so that links to a panel stay right.
func lowerV2(d page, schema Schema) ([]byte, error) {
	g := v2.Dashboard{
		Title: d.title, Description: new(describe(d)), Tags: tags(d), Editable: new(false), CursorSync: v2.DashboardCursorSyncCrosshair,
		TimeSettings: v2.TimeSettingsSpec{
			Timezone: new("browser"), From: d.from, To: "now", AutoRefresh: d.refresh,
			AutoRefreshIntervals: []string{"30s", "1m", "5m", "15m", "1h"},
		},
		Elements: map[string]v2.Element{}, Links: []v2.DashboardLink{}, Variables: []v2.VariableKind{}, Annotations: []v2.AnnotationQueryKind{},
	}
	for _, v := range d.variables {
		g.Variables = append(g.Variables, variableV2(v))
	}
	for _, a := range d.annotations {
		g.Annotations = append(g.Annotations, annotationV2(a))
	}
	for _, l := range d.links {
		g.Links = append(g.Links, v2.DashboardLink{
			Title: l.title, Type: v2.DashboardLinkTypeLink, Icon: "external link", Tooltip: l.title, Url: &l.url, Tags: []string{},
			IncludeVars: true, KeepTime: true,
		})
	}
	rows := v2.RowsLayoutKind{Kind: "RowsLayout"}
	for _, r := range d.rows {
		row, err := rowV2(r, d.step, g.Elements)
		if err != nil {
			return nil, err
		}
		rows.Spec.Rows = append(rows.Spec.Rows, row)
	}
	g.Layout.RowsLayoutKind = &rows
	if schema == V2 {
		return encodeGA(g)
	}
	return encode(g)
}

// rowV2 returns r as a row, and adds its panels to elements.
func rowV2(r row, step string, elements map[string]v2.Element) (v2.RowsLayoutRowKind, error) {
	grid := v2.GridLayoutKind{Kind: "GridLayout", Spec: v2.GridLayoutSpec{Items: []v2.GridLayoutItemKind{}}}
	places, _ := layout(r.panels, 0)
	for j, p := range r.panels {
		id := panelID(r.id, j)
		element, err := panelV2(p, id, step)
		if err != nil {
			return v2.RowsLayoutRowKind{}, fmt.Errorf("panel %q: %w", p.title, err)
		}
		name := fmt.Sprintf("panel-%d", id)
		elements[name] = v2.Element{PanelKind: element}
		grid.Spec.Items = append(grid.Spec.Items, v2.GridLayoutItemKind{Kind: "GridLayoutItem", Spec: v2.GridLayoutItemSpec{
			X: int64(places[j].x), Y: int64(places[j].y), Width: int64(places[j].w), Height: int64(places[j].h),
			Element: v2.ElementReference{Kind: "ElementReference", Name: name},
		}})
	}
	out := v2.RowsLayoutRowKind{Kind: "RowsLayoutRow", Spec: v2.RowsLayoutRowSpec{Title: &r.title, Collapse: &r.collapsed}}
	out.Spec.Layout.GridLayoutKind = &grid
	return out, nil
}

func panelV2(p panel, id uint32, step string) (*v2.PanelKind, error) {
	m := lowerPanel(p, step)
	config := dashboard.FieldConfigSource{Overrides: []dashboard.DashboardFieldConfigSourceOverrides{}}
	if m.FieldConfig != nil {
		config = *m.FieldConfig
	}
	data := v2.QueryGroupSpec{
		Queries: []v2.PanelQueryKind{}, Transformations: []v2.TransformationKind{}, QueryOptions: v2.QueryOptionsSpec{Interval: m.Interval},
	}
	for i, q := range m.Targets {
		data.Queries = append(data.Queries, v2.PanelQueryKind{Kind: "PanelQuery", Spec: v2.PanelQuerySpec{
			RefId: letter(i), Query: queryV2(q, m.Datasource),
		}})
	}
	for _, t := range m.Transformations {
		data.Transformations = append(data.Transformations, v2.TransformationKind{
			Kind: t.Id, Spec: v2.DataTransformerConfig{Id: t.Id, Options: t.Options},
		})
	}
	viz := v2.VizConfigSpec{Options: m.Options}
	if err := translate(config, &viz.FieldConfig); err != nil {
		return nil, err
	}
	return &v2.PanelKind{Kind: "Panel", Spec: v2.PanelSpec{
		Id: float64(id), Title: p.title, Description: p.description, Links: []v2.DataLink{},
		Data:      v2.QueryGroupKind{Kind: "QueryGroup", Spec: data},
		VizConfig: v2.VizConfigKind{Kind: "VizConfig", Group: m.Type, Spec: viz},
	}}, nil
}

// translate fills to from a type of the other schema that has the same JSON.
func translate(from, to any) error {
	raw, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(raw, to)
	}
	return err
}

// queryV2 returns a query to a data source, without what stands elsewhere in this schema.
func queryV2(q variants.Dataquery, from *common.DataSourceRef) v2.DataQueryKind {
	spec := map[string]any{}
	if err := translate(q, &spec); err != nil {
		panic("dashboards: " + err.Error()) // of a struct that was made here
	}
	delete(spec, "datasource")
	delete(spec, "refId")
	return v2.DataQueryKind{
		Kind: "DataQuery", Group: *from.Type, Version: "v0", Spec: spec,
		Datasource: &v2.Dashboardv2beta1DataQueryKindDatasource{Name: from.Uid},
	}
}

// prometheusV2 is a query of the data source that the page has chosen.
func prometheusV2(spec map[string]any) v2.DataQueryKind {
	return v2.DataQueryKind{
		Kind: "DataQuery", Group: "prometheus", Version: "v0", Spec: spec,
		Datasource: &v2.Dashboardv2beta1DataQueryKindDatasource{Name: new("${datasource}")},
	}
}

func annotationV2(a annotation) v2.AnnotationQueryKind {
	return v2.AnnotationQueryKind{Kind: "AnnotationQuery", Spec: v2.AnnotationQuerySpec{
		Name: a.name, Enable: !a.off, IconColor: a.color,
		Query:         prometheusV2(map[string]any{"expr": a.expr, "titleFormat": a.title, "textFormat": a.text, "step": annotationStep}),
		LegacyOptions: map[string]any{"expr": a.expr, "titleFormat": a.title, "textFormat": a.text, "step": annotationStep},
	}}
}

func variableV2(v variable) v2.VariableKind {
	if v.query == "" {
		return v2.VariableKind{DatasourceVariableKind: &v2.DatasourceVariableKind{Kind: "DatasourceVariable", Spec: v2.DatasourceVariableSpec{
			Name: v.name, Label: &v.label, Description: &v.description, PluginId: v.plugin, Hide: v2.VariableHideDontHide,
			Refresh: v2.VariableRefreshOnDashboardLoad, Current: option("", ""), Options: []v2.VariableOption{}, AllowCustomValue: true,
		}}}
	}
	s := v2.QueryVariableSpec{
		Name: v.name, Label: &v.label, Description: &v.description, Definition: &v.query, Hide: v2.VariableHideDontHide,
		Refresh: v2.VariableRefreshOnTimeRangeChanged, Sort: v2.VariableSortAlphabeticalAsc, AllowCustomValue: true,
		Query:   prometheusV2(map[string]any{"query": v.query, "refId": "variable-" + v.name}),
		Current: option("", ""), Options: []v2.VariableOption{},
	}
	if !v.single {
		s.Multi, s.IncludeAll, s.AllValue, s.Current = true, true, new(".*"), v2.VariableOption{
			Text: v2.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: v2.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		}
	}
	return v2.VariableKind{QueryVariableKind: &v2.QueryVariableKind{Kind: "QueryVariable", Spec: s}}
}

// option is one choice of a variable; an empty one lets Grafana choose.
func option(text, value string) v2.VariableOption {
	return v2.VariableOption{Text: v2.StringOrArrayOfString{String: &text}, Value: v2.StringOrArrayOfString{String: &value}}
}

// encodeGA encodes g for the schema V2, which differs from V2Beta1 in how it names transformations.
func encodeGA(g v2.Dashboard) ([]byte, error) {
	var spec map[string]any
	if err := translate(g, &spec); err != nil {
		return nil, err
	}
	var rename func(v any)
	rename = func(v any) {
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				rename(e)
			}
		case map[string]any:
			list, _ := x["transformations"].([]any)
			for _, t := range list {
				m, _ := t.(map[string]any)
				inner, _ := m["spec"].(map[string]any)
				m["group"], m["kind"] = m["kind"], "Transformation"
				delete(inner, "id")
			}
			for _, e := range x {
				rename(e)
			}
		}
	}
	rename(spec["elements"])
	return encode(spec)
}
