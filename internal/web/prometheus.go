package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
)

// Limits of remote read, as Prometheus has them.
const (
	readSamples     = 50_000_000
	readConcurrency = 10
	readFrame       = 1 << 20
)

// prometheusVersion is what the query API says it is, so that data source plugins know what it can do: the version
// of Prometheus that is linked.
const prometheusVersion = "3.15.0"

// Targets is what is scraped, for the query API.
type Targets interface {
	TargetsActive() map[string][]*scrape.Target
	TargetsDropped() map[string][]*scrape.Target
	TargetsDroppedCounts() map[string]int
	ScrapePoolConfig(pool string) (*config.ScrapeConfig, error)
	ScrapePools() []string
}

// alertmanagers implements v1.AlertmanagerRetriever.
type alertmanagers struct{ urls func() []*url.URL }

// Alertmanagers returns the URLs that alerts are posted to.
func (a alertmanagers) Alertmanagers() []*url.URL {
	var out []*url.URL
	for _, u := range a.urls() {
		out = append(out, u.JoinPath("api", "v2", "alerts"))
	}
	return out
}

// DroppedAlertmanagers returns nothing: all that are configured are used.
func (alertmanagers) DroppedAlertmanagers() []*url.URL { return nil }

// prometheusAPI returns the query API of Prometheus without its doors for writing and its administration.
func prometheusAPI(b Backend, o Options) http.Handler {
	external, _ := url.Parse(o.ExternalURL)
	queries := b.Engine.QueryEngine(engine.Options{
		Logger: b.Logger, QueryTimeout: cmp.Or(o.QueryTimeout, DefaultQueryTimeout), MaxSamples: cmp.Or(o.QuerySamples, DefaultQuerySamples),
	})
	started := b.Now()
	api := v1.NewAPI(
		queries, b.Store.Samples(),
		nil, nil, // no writing: the receivers are in front
		b.Store.Exemplars(),
		func(context.Context) v1.ScrapePoolsRetriever { return b.Targets },
		func(context.Context) v1.TargetRetriever { return b.Targets },
		func(context.Context) v1.AlertmanagerRetriever { return alertmanagers{b.Alertmanagers} },
		func() config.Config { return config.DefaultConfig },
		map[string]string{},
		v1.GlobalURLOptions{Host: external.Host, Scheme: external.Scheme},
		func(f http.HandlerFunc) http.HandlerFunc { return f },
		b.Store.Admin(), b.Store.Dir(), false, // no administration
		false, 0, // no search
		b.Logger,
		func(context.Context) v1.RulesRetriever { return b.Engine.Groups() },
		readSamples, readConcurrency, readFrame,
		false,                    // no agent
		regexp.MustCompile(`^$`), // no other origin
		func() (v1.RuntimeInfo, error) { return runtimeInfo(b, started), nil },
		&v1.PrometheusVersion{Version: prometheusVersion, Revision: "plimsoll " + o.Version, GoVersion: runtime.Version()},
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, func() {}, false },
		b.Registry, b.Registry,
		nil,        // statistics as they come
		false, nil, // no remote write
		false, false, false, // no OTLP
		false,
		5*time.Minute,
		false, false,
		nil,
		features.NewRegistry(),
		v1.OpenAPIOptions{ExternalURL: o.ExternalURL, Version: prometheusVersion},
		nil,
	)
	r := route.New()
	api.Register(r)
	return r
}

func runtimeInfo(b Backend, started time.Time) v1.RuntimeInfo {
	s := b.State()
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return v1.RuntimeInfo{
		StartTime: started, ServerTime: b.Now(), Hostname: host, ReloadConfigSuccess: len(s.SpecProblems) == 0,
		LastConfigTime: s.SpecsLoadedAt, GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0),
	}
}
