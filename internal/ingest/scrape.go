package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/file" // file_sd_configs; static_configs need no package
	"github.com/prometheus/prometheus/scrape"
)

// Scraper scrapes the targets of a configuration file in the form of Prometheus: global, scrape_configs and
// scrape_config_files, with static_configs and file_sd_configs. Its limits are those of the file (sample_limit and so
// on), and those of Limits where the file has none. It is safe for concurrent use.
type Scraper struct {
	path    string
	limits  Limits
	log     *slog.Logger
	scrape  *scrape.Manager
	targets *discovery.Manager
	stop    context.CancelFunc
	ok      prometheus.Gauge

	mu    sync.Mutex
	seen  [sha256.Size]byte // digest of the files that were read last, right or wrong
	files []string          // patterns of scrape_config_files
}

// NewScraper reads the file at path and prepares to scrape into st. now is the wall clock. logger may be nil.
func NewScraper(st Store, path string, now func() time.Time, l Limits, logger *slog.Logger, reg prometheus.Registerer) (*Scraper, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Scraper{path: path, limits: l.withDefaults(), log: logger, stop: stop, ok: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "plimsoll_scrape_config_ok", Help: "1 if the scrape configuration on disk is the one in use, 0 if it is wrong.",
	})}
	reg.MustRegister(s.ok)
	sd, err := discovery.CreateAndRegisterSDMetrics(reg)
	if err == nil {
		into := newTargets(st.AppendableV2(), now, s.limits, logger, reg)
		s.scrape, err = scrape.NewManager(&scrape.Options{PassMetadataInContext: true}, logger, nil, nil, into, reg)
	}
	if err == nil {
		s.targets = discovery.NewManager(ctx, logger, reg, sd, discovery.Name("scrape"))
		err = s.load()
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("scrape configuration: %w", err)
	}
	return s, nil
}

// load reads the file and applies it if it has changed.
func (s *Scraper) load() error {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.digest(text)
	if sum == s.seen {
		return nil
	}
	s.seen = sum
	cfg, err := config.LoadFile(s.path, false, s.log)
	if err != nil {
		return err
	}
	if len(cfg.RuleFiles) > 0 || len(cfg.RemoteWriteConfigs) > 0 || len(cfg.RemoteReadConfigs) > 0 ||
		len(cfg.AlertingConfig.AlertmanagerConfigs) > 0 {
		return errors.New("want global, scrape_configs and scrape_config_files only")
	}
	s.limit(cfg)
	s.files = cfg.ScrapeConfigFiles
	s.seen = s.digest(text)
	jobs, err := cfg.GetScrapeConfigs()
	if err != nil {
		return err
	}
	if err := s.scrape.ApplyConfig(cfg); err != nil {
		return err
	}
	found := map[string]discovery.Configs{}
	for _, j := range jobs {
		found[j.JobName] = j.ServiceDiscoveryConfigs
	}
	if err := s.targets.ApplyConfig(found); err != nil {
		return err
	}
	s.ok.Set(1)
	return nil
}

// digest returns the digest of the configuration with the files that it names.
func (s *Scraper) digest(text []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(text)
	for _, pattern := range s.files {
		names, _ := filepath.Glob(pattern) // in order; a bad pattern is an error of the configuration
		for _, name := range names {
			more, err := os.ReadFile(name)
			fmt.Fprintf(h, "%q %d %v\n", name, len(more), err)
			h.Write(more)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// limit sets the limits that the configuration leaves open: for the jobs of other files, too, which are read later.
func (s *Scraper) limit(cfg *config.Config) {
	fill(&cfg.GlobalConfig.BodySizeLimit, s.limits.DecodedBytes)
	fill(&cfg.GlobalConfig.TargetLimit, s.limits.Targets)
	for _, j := range cfg.ScrapeConfigs {
		fill(&j.BodySizeLimit, s.limits.DecodedBytes)
		fill(&j.TargetLimit, s.limits.Targets)
	}
}

// fill sets a limit that is not set.
func fill[T ~int64 | ~uint, L int64 | int](limit *T, to L) {
	if *limit == 0 {
		*limit = T(to)
	}
}

// Reload applies the file if it or one of its scrape_config_files has changed. A wrong one changes nothing.
func (s *Scraper) Reload() {
	if err := s.load(); err != nil {
		s.ok.Set(0)
		s.log.Error("the scrape configuration is wrong, the last good one stays", "err", err)
	}
}

// Run scrapes until ctx ends.
func (s *Scraper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.targets.Run(); err != nil && ctx.Err() == nil {
			s.log.Error("discovery ended", "err", err)
		}
	})
	wg.Go(func() {
		if err := s.scrape.Run(s.targets.SyncCh()); err != nil {
			s.log.Error("scraping ended", "err", err)
		}
	})
	<-ctx.Done()
	s.scrape.Stop()
	s.stop()
	wg.Wait()
}

// Targets is the view of a scraper for the query API.
type Targets struct{ m *scrape.Manager }

// Targets returns a view of s, which may be nil.
func (s *Scraper) Targets() Targets {
	if s == nil {
		return Targets{}
	}
	return Targets{s.scrape}
}

// TargetsActive returns the targets that are scraped, by pool.
func (t Targets) TargetsActive() map[string][]*scrape.Target {
	if t.m == nil {
		return nil
	}
	return t.m.TargetsActive()
}

// TargetsDropped returns the targets that relabelling dropped, by pool.
func (t Targets) TargetsDropped() map[string][]*scrape.Target {
	if t.m == nil {
		return nil
	}
	return t.m.TargetsDropped()
}

// TargetsDroppedCounts counts them.
func (t Targets) TargetsDroppedCounts() map[string]int {
	if t.m == nil {
		return nil
	}
	return t.m.TargetsDroppedCounts()
}

// ScrapePoolConfig returns the configuration of a pool.
func (t Targets) ScrapePoolConfig(pool string) (*config.ScrapeConfig, error) {
	if t.m == nil {
		return nil, errors.New("nothing is scraped")
	}
	return t.m.ScrapePoolConfig(pool)
}

// ScrapePools returns the names of the pools.
func (t Targets) ScrapePools() []string {
	if t.m == nil {
		return nil
	}
	return t.m.ScrapePools()
}
