package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/ingest"
	"github.com/plimsoll-slo/plimsoll/internal/server"
)

// Limits of the listener.
const (
	answerWithin   = 3 * time.Minute
	idleFor        = 2 * time.Minute
	shutdownWithin = 10 * time.Second
	maxHeader      = 64 << 10
)

// serveFlags are the flags of serve.
type serveFlags struct {
	server      server.Options
	listen      string
	webConfig   string
	store       string
	tokens      string
	public      bool
	connections int
	perAddress  int // connections of one address
	// headerWithin is how long a client may take for the head of a request, requestWithin for all of it.
	headerWithin, requestWithin time.Duration

	logFormat string
	logLevel  string
	own       ownFlags
	alerts    *own // the Alertmanager that serve runs itself; nil: none
}

func (f *serveFlags) add(c *cobra.Command) {
	o, fs := &f.server, c.Flags()
	fs.StringArrayVar(&o.Specs, "specs", nil, "file or directory of specs; may be repeated (required)")
	fs.StringVar(&o.Data, "data", "", "directory of samples and state (required)")
	fs.StringVar(&f.store, "store", "", "file that names a Prometheus, Mimir, Cortex, Thanos or VictoriaMetrics, which then has the samples")
	fs.StringVar(&f.listen, "listen", "127.0.0.1:9095", "address to listen at")
	fs.StringVar(&f.webConfig, "web-config", "", "file with TLS, client certificates and basic auth, as all Prometheus programs read it")
	fs.StringVar(&f.tokens, "tokens", "", "file with bearer tokens, one NAME:TOKEN a line")
	fs.BoolVar(&f.public, "insecure-public", false, "listen at an address that others reach although nobody has to authenticate")
	fs.IntVar(&f.connections, "max-connections", 512, "connections at the same time")
	fs.IntVar(&f.perAddress, "max-connections-per-address", 128, "connections of one address at the same time")
	fs.DurationVar(&f.requestWithin, "request-timeout", time.Minute, "how long a client may take for a whole request")
	fs.DurationVar(&f.headerWithin, "header-timeout", 10*time.Second, "how long a client may take for the head of a request")
	fs.StringArrayVar(&o.Alertmanagers, "alertmanager", nil, "URL of an Alertmanager; may be repeated, each gets every alert")
	fs.StringVar(&f.own.path, "alertmanager-exec", "", "Alertmanager program that serve runs itself; wants --alertmanager-config")
	fs.StringVar(&f.own.config, "alertmanager-config", "", "its configuration, into which serve puts what follows from the specs")
	fs.StringVar(&f.own.listen, "alertmanager-listen", "127.0.0.1:9093", "loopback address at which it listens")
	fs.StringVar(&o.ScrapeConfig, "scrape-config", "", "file with scrape_configs in the form of Prometheus (static_configs, file_sd_configs)")
	fs.BoolVar(&o.SelfSLOs, "self-slos", false, "also evaluate the SLOs of Plimsoll itself, over its own metrics; init --self writes them")
	fs.StringVar(&o.Instance, "instance", "", "name of this server in its own metrics; default: host name and port")
	fs.StringVar(&o.ExternalURL, "external-url", "", "URL under which people reach this server, for links in alerts")
	fs.DurationVar(&o.Retention, "retention", server.DefaultRetention, "how long samples are kept")
	fs.Int64Var(&o.MaxBytes, "max-bytes", 0, "most bytes of samples on disk, the oldest go first; 0 is no limit")
	fs.Uint64Var(&o.MinFree, "min-free-bytes", 256<<20, "free space on disk below which no samples are taken")
	fs.DurationVar(&o.Delay, "evaluation-delay", 0, "how long after its time a tick is evaluated; the rules themselves look 15s back")
	fs.DurationVar(&o.MaxCatchUp, "max-catch-up", server.DefaultMaxCatchUp, "how far back missed ticks are evaluated")
	fs.DurationVar(&o.SendersWait, "senders-wait", 30*time.Second, "how long missed ticks wait for senders to deliver what they kept")
	fs.DurationVar(&o.ReloadEvery, "reload-every", 10*time.Second, "how often the specs are looked at; 0 is only on SIGHUP")
	fs.IntVar(&o.MaxSamples, "max-rule-samples", 50_000_000, "samples that one query of the rules may hold in memory")
	fs.IntVar(&o.Limits.SeriesPerSource, "max-series-per-source", ingest.DefaultSeriesPerSource, "active series that one sender or one scraped target may have")
	fs.IntVar(&o.Limits.Labels, "max-labels", ingest.DefaultLabels, "labels of one series")
	fs.IntVar(&o.Limits.LabelBytes, "max-label-bytes", ingest.DefaultLabelBytes, "bytes of the name or the value of a label")
	fs.IntVar(&o.Limits.Targets, "max-targets-per-job", ingest.DefaultTargets, "targets of one job of the scrape configuration, unless it has a target_limit")
	fs.Int64Var(&o.Limits.RequestBytes, "max-request-bytes", ingest.DefaultRequestBytes, "bytes of one pushed request as it is sent")
	fs.Int64Var(&o.Limits.DecodedBytes, "max-decoded-bytes", ingest.DefaultDecodedBytes, "bytes of one pushed request when unpacked, and of one scrape unless it has a body_size_limit")
	fs.Int64Var(&o.Limits.PendingBytes, "max-pending-bytes", ingest.DefaultPendingBytes, "bytes of all pushed requests that are being received or worked on; one source gets a quarter")
	fs.IntVar(&o.Limits.Requests, "max-requests", ingest.DefaultRequests, "pushed requests that are worked on at the same time")
	fs.IntVar(&o.Web.Queries, "max-queries", 20, "queries at the same time")
	fs.DurationVar(&o.Web.QueryTimeout, "query-timeout", time.Minute, "longest time of one query of a user")
	fs.BoolVar(&o.Web.Profiling, "profiling", false, "serve /debug/pprof; wants authentication or a loopback address")
	fs.StringVar(&f.logFormat, "log-format", "text", "format of the log on standard error: text or json")
	fs.StringVar(&f.logLevel, "log-level", "info", "least level of the log: debug, info, warn or error")
	cobra.CheckErr(errors.Join(c.MarkFlagRequired("specs"), c.MarkFlagRequired("data")))
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve --specs DIR --data DIR",
		Short: "Take in samples, evaluate the rules and send the alerts",
		Long: `Serve is a Prometheus for SLOs in one process. It takes in samples (remote write 1.0
and 2.0, OTLP/HTTP, scrapes), evaluates the rules that build writes, sends alerts to
Alertmanagers, and answers the query API of Prometheus, so that Grafana and promtool
use it as a data source.

No budget is lost: evaluations that were missed, because the process was down or
stood still, are made up for at their own times from the stored samples; the past of
a new SLO is evaluated as far as the samples reach; specs are reloaded when they
change, and wrong ones change nothing.

With --store the samples are in a Prometheus, Mimir, Cortex, Thanos or
VictoriaMetrics: the rules ask it, and their results are written to it. Nothing is
taken in or scraped here then; --data holds the state of the rules. See docs/store.md.

Without --tokens or --web-config nobody has to authenticate; then serve listens at
loopback addresses only, unless --insecure-public is given. SIGHUP reloads, SIGTERM
and SIGINT end it in an orderly way. See docs/serve.md.`,
		Example: "  plimsoll serve --specs slos/ --data /var/lib/plimsoll --alertmanager http://alertmanager:9093",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.serve(f) },
	}
	f.add(c)
	return c
}

func (a *app) serve(f serveFlags) error {
	log, err := a.logger(f)
	if err != nil {
		return err
	}
	f.server.Registry = prometheus.NewRegistry()
	found, err := f.openStore(log)
	if err != nil {
		return err
	}
	if found.findings.Failed() {
		if err := diag.Text(a.stderr, found.findings, found.sources(), a.color(a.stderr)); err != nil {
			return world(err)
		}
		return a.failed(found.findings)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := f.secure(); err != nil {
		return err
	}
	if err := f.own.check(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return world(err)
	}
	defer listener.Close()
	f.server.Now, f.server.Logger = time.Now, log
	f.server.Instance = instance(f.server.Instance, listener.Addr())
	f.server.Web.Version, f.server.Web.ExternalURL = versionText(), f.server.ExternalURL
	f.server.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := f.prepareOwn(log); err != nil {
		return world(err)
	}
	s, err := server.Open(ctx, f.server)
	if spec, ok := errors.AsType[*server.SpecError](err); ok {
		c := compiled{findings: spec.Findings, files: spec.Files}
		if err := diag.Text(a.stderr, c.findings, c.sources(), a.color(a.stderr)); err != nil {
			return world(err)
		}
		return a.failed(c.findings)
	}
	if err != nil {
		return world(err)
	}
	stopOwn, err := f.alerts.start(f.server.ReloadEvery)
	if err != nil {
		return world(errors.Join(err, s.Close()))
	}
	defer stopOwn()
	return world(errors.Join(f.run(ctx, s, listener, log), s.Close()))
}

// instance returns the name of this server in its own metrics: what the user says, or host name and port.
func instance(given string, a net.Addr) string {
	if given != "" {
		return given
	}
	host, err := os.Hostname()
	if err != nil {
		return a.String()
	}
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return host
	}
	return net.JoinHostPort(host, port)
}

// run serves until ctx ends or the listener fails. First the door is shut, then the work in progress ends.
func (f serveFlags) run(ctx context.Context, s *server.Server, l net.Listener, log *slog.Logger) error {
	work, stopWork := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(work)
	}()
	h := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: f.headerWithin, ReadTimeout: f.requestWithin, WriteTimeout: answerWithin,
		IdleTimeout: idleFor, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	log.Info("serving", "address", l.Addr().String())
	go func() {
		served <- web.Serve(netutil.LimitListener(newCrowd(l, f.perAddress, f.server.Registry), f.connections), h, &web.FlagConfig{WebConfigFile: &f.webConfig}, log)
	}()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var err error
	for open := true; open; {
		select {
		case <-hup:
			s.Reload()
			f.alerts.signal()
		case err = <-served:
			open = false
		case <-ctx.Done():
			log.Info("ending")
			late, cancel := context.WithTimeout(context.Background(), shutdownWithin)
			err = h.Shutdown(late)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				err = h.Close()
			}
			open = false
		}
	}
	stopWork()
	<-done
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (a *app) logger(f serveFlags) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("want --log-level debug, info, warn or error, have %q", f.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, o)), nil
	}
	return nil, fmt.Errorf("want --log-format text or json, have %q", f.logFormat)
}
