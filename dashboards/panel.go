package dashboards

import "github.com/plimsoll-slo/plimsoll/internal/telemetry"

// The model of a dashboard: what it shows, without the ways of one version of
// Grafana. Only the files lower*.go know those.

// page is a dashboard: rows of panels.
type page struct {
	uid, title, description string
	tag                     string // its kind, besides the tags that all have
	from                    string // start of the default time range, which ends now
	refresh                 string // how often the page reloads; "" is never
	step                    string // shortest time between two points
	variables               []variable
	annotations             []annotation
	links                   []link // to the other dashboards
	rows                    []row
	missing                 []telemetry.Source // what it would show as well
}

// row is a titled group of panels; a collapsed row runs no query until it is opened.
type row struct {
	id        int // its own on the page, so that the ids of its panels stay when another row comes or goes
	title     string
	collapsed bool
	panels    []panel
}

// kind is how a panel draws.
type kind int

const (
	textKind   kind = iota // Markdown
	statKind               // the last value of each query, large
	tableKind              // one row per series, joined over the queries by their labels
	seriesKind             // lines over time
	barsKind               // lines over time, as bars
	gaugesKind             // the last value of each series, as a bar
	logsKind               // lines of a Loki
	tracesKind             // traces of a Tempo, one a row
)

// panel is one picture. Every panel but a text has a unit, and a noValue that
// says what it means that there are no data.
type panel struct {
	kind               kind
	title, description string
	w, h               int // in cells of a page that is 24 wide
	markdown           string
	queries            []query
	unit               unit
	decimals           int // 0 leaves it to Grafana
	min, max           *float64
	noValue            string
	named              bool // a number shows the names of its series as well
	thresholds         []threshold
	lines              bool // draw the thresholds as lines
	stacked            bool // bars on top of each other
	mappings           []mapping
	columns            []column // of a table, from left to right; others are hidden
	sortBy             string   // title of a column, least first
	mostFirst          bool     // the other way round
	fixed              []fixed  // the last that matches counts
	links              []link
}

// unit is the id of a unit of Grafana.
type unit string

const (
	ratio    unit = "percentunit" // 1 is 100 %
	count    unit = "short"
	multiple unit = "x"           // burn rates: "14.4 x"
	seconds  unit = "dtdurations" // "2 days, 3 hours"
	latency  unit = "s"           // "250 ms"
	perSec   unit = "cps"
	perMin   unit = "cpm"
	plain    unit = "none" // columns bring their own units
)

// query is one PromQL query of a panel, or LogQL or TraceQL by its kind. The first
// query of a panel has the letter A.
type query struct {
	expr    string
	legend  string // with {{label}}
	instant bool   // one value, at the end of the time range
	dashed  bool   // drawn as a dashed red line: a threshold
}

// threshold colours values of at least from; a nil from is minus infinity and
// comes first.
type threshold struct {
	from  *float64
	color string
}

// mapping shows text instead of the values in [from, to]; nil is infinite.
type mapping struct {
	from, to *float64
	text     string
	color    string
}

// fixed gives the lines whose legend matches a regular expression a colour of
// their own.
type fixed struct{ legend, color string }

// column is a column of a table: a label or the values of a query.
type column struct {
	of         string // name of a label, or letter of a query
	title      string
	unit       unit
	decimals   int
	thresholds []threshold
	mappings   []mapping
	gauge      bool // bar from 0 to 1
	hidden     bool // only there to keep rows apart
	links      []link
}

// link leads to another page. On a dashboard it takes the variables and the
// time range along.
type link struct {
	title, url string
}

// variable is a choice at the top of a dashboard. Without a query it is the
// choice of a data source.
type variable struct {
	name, label, description string
	plugin                   string // of a data source: prometheus, loki or tempo
	query                    string // label_values(...)
	single                   bool   // exactly one value; else any number or all
}

// annotation marks on every panel the time in which expr has values.
type annotation struct {
	name, expr, title, text, color string
	off                            bool // until the user asks for it
}

// place is the position of a panel.
type place struct{ x, y, w, h int }

// width of a page, in cells.
const width = 24

// layout returns a place for each panel, from left to right, and the first free
// line below them. A panel that does not fit starts a new line below the
// highest panel of the line before. y is the first line.
func layout(panels []panel, y int) ([]place, int) {
	out := make([]place, len(panels))
	x, high := 0, 0
	for i, p := range panels {
		if p.w < 1 || p.w > width || p.h < 1 {
			panic("dashboards: panel " + p.title + " has an impossible size")
		}
		if x+p.w > width {
			x, y, high = 0, y+high, 0
		}
		out[i] = place{x: x, y: y, w: p.w, h: p.h}
		x, high = x+p.w, max(high, p.h)
	}
	return out, y + high
}
