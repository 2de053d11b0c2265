# `make help` lists the targets. Everything runs serially and needs no network once the modules are cached.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

GO ?= go

# The gateway finds Prometheus targets in files, over HTTP, in DNS and in Kubernetes. The clouds' own discoveries would
# take longer to compile than everything else together, so without the first tag there is no gateway.
export GOFLAGS := $(shell $(GO) env GOFLAGS) -tags=remove_all_sd,enable_kubernetes_sd,enable_dns_sd
FUZZTIME ?= 30s
COUNT ?= 1

# Packages that start goroutines: make check runs their tests under the race detector.
# Not the gateway: it has hardly any code of its own, and compiling all of it once more takes minutes.
RACE := ./collector $(patsubst %,./%/...,$(wildcard burnrate collector/internal collector/receiver collector/connector \
	exporters internal/engine internal/ingest internal/notify internal/output internal/server internal/store internal/web))

gofumpt := $(GO) tool -modfile=tools/gofumpt/go.mod gofumpt
staticcheck := $(GO) tool -modfile=tools/staticcheck/go.mod staticcheck

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The go command stamps the version from git's tags where there is a repository.
.PHONY: build
build: ## Build plimsoll and plimsoll-collector into bin/
	$(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/ ./cmd/plimsoll ./cmd/plimsoll-collector

.PHONY: build-gateway
build-gateway: ## Build plimsoll-gateway, the large collector, into bin/
	$(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/ ./cmd/plimsoll-gateway

.PHONY: demo
demo: build ## Play real telemetry through both programs: who is paged, when, and the dashboards
	bin/plimsoll demo

.PHONY: modules
modules: ## Fetch the modules that build and tests need, and no others
	@$(GO) list -deps -test ./... > /dev/null

.PHONY: test
test: modules ## Run every test, offline, in any order
	GOPROXY=off $(GO) test -shuffle=on ./...

.PHONY: check
check: check-format check-vet check-arch check-rules check-alertmanager check-size check-race check-bench ## Run what else a change must pass

.PHONY: check-size
check-size: build ## The small collector is as small as is promised
	$(GO) run ./bench/footprint bin/plimsoll-collector:55:60

.PHONY: size
size: build build-gateway ## Measure both collectors on disk and in memory, against their limits
	$(GO) run ./bench/footprint bin/plimsoll-collector:55:60 bin/plimsoll-gateway:110:120

.PHONY: check-format
check-format: ## gofumpt has nothing to change
	@unformatted=$$($(gofumpt) -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofumpt:"; echo "$$unformatted"; exit 1; fi

# staticcheck reads every package that a program links. It is spared the 700 more of the gateway, which has 60 lines.
.PHONY: check-vet
check-vet: modules ## go vet and staticcheck find nothing
	$(GO) vet ./...
	env -u GOFLAGS $(staticcheck) ./...

.PHONY: check-arch
check-arch: ## Imports, sizes and budgets are as internal/arch says
	$(GO) test ./internal/arch

.PHONY: check-rules
check-rules: build bin/promtool bin/vmalert ## promtool and vmalert accept what build writes for every example and pack
	$(GO) vet -tags real,grafana ./internal/realtest
	$(GO) test -tags real -count=1 -run '^TestFiles$$' ./internal/realtest
	rm -rf bin/packs; bin/plimsoll packs add --all -o bin/packs > /dev/null
	for specs in examples/quickstart examples/web-service examples/platform-team examples/plimsoll-self bin/packs; do \
		rm -rf bin/built; bin/plimsoll build --tests -o bin/built "$$specs"; \
		bin/promtool test rules bin/built/rules/tests/*.yaml > bin/built/log || { cat bin/built/log; exit 1; }; \
	done

.PHONY: check-alertmanager
check-alertmanager: build bin/amtool ## amtool accepts the merged configuration, routes and templates of every example
	$(GO) test -tags real -count=1 -run '^(TestRoutes|TestExampleConfiguration|TestTemplates)$$' ./internal/realtest

.PHONY: check-race
check-race: modules ## The race detector finds nothing in packages with goroutines
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 40m $(RACE)

.PHONY: check-bench
check-bench: modules bin/sloth ## Every benchmark runs, once, and a short comparison with peers gives every figure
	$(GO) test -run='^$$' -bench=. -benchtime=1x ./...
	SLOTH=$(CURDIR)/bin/sloth $(GO) test -count=1 -run='^TestPeersReport$$' ./bench/peers

.PHONY: test-real
test-real: build tools-real ## Run the tests against real servers, for a quarter of an hour: not part of make test
	$(GO) test -tags real -count=1 -v -parallel 4 -timeout 60m ./internal/realtest/...
	$(GO) test -tags real -count=1 -v -run '^(TestKill|TestFlood)' ./collector ./internal/server ./internal/ingest

# A Grafana cannot be built from modules, so it is yours: GRAFANA_HOME is the directory with its bin/grafana and conf.
.PHONY: test-grafana
test-grafana: build ## Run the tests against the real Grafana in GRAFANA_HOME: not part of make test
	@if [ ! -x "$(GRAFANA_HOME)/bin/grafana" ]; then \
		echo "want GRAFANA_HOME=DIR with a Grafana, have no bin/grafana in \"$(GRAFANA_HOME)\""; exit 1; fi
	GRAFANA_HOME="$(abspath $(GRAFANA_HOME))" $(GO) test -tags grafana -count=1 -v -run '^TestGrafana' -timeout 30m ./internal/realtest

.PHONY: bench
bench: modules ## Run every benchmark COUNT times (default 1)
	$(GO) test -run='^$$' -bench=. -benchmem -count=$(COUNT) ./...

.PHONY: bench-compile
bench-compile: build bin/sloth ## Compile time and memory beside Sloth on equal input
	$(GO) run ./bench/compile -plimsoll bin/plimsoll -sloth bin/sloth -o bench/results/compile.txt

.PHONY: bench-alerts
bench-alerts: ## Score alert policies on simulated incidents
	$(GO) run ./bench/alerts -o bench/results/alerts.txt

.PHONY: bench-peers
bench-peers: modules bin/sloth ## Cost and exactness of the rules beside Sloth, Pyrra and the SRE Workbook
	$(GO) run ./bench/peers -sloth bin/sloth -o bench/results/peers.txt

.PHONY: bench-audit
bench-audit: modules ## Audit events a second that are read from files, counted and on disk, and the memory for 5 GiB of them
	$(GO) run ./bench/audit -o bench/results/audit.txt

.PHONY: bench-bills
bench-bills: modules ## Rows a second of bills in CSV, compressed CSV and Parquet, and the memory for 5 GiB of them
	$(GO) run ./bench/bills -o bench/results/bills.txt

.PHONY: bench-ingest
bench-ingest: modules ## Webhooks a second that are on disk before they are answered, and how long an answer takes
	$(GO) run ./bench/ingest -o bench/results/ingest.txt

.PHONY: bench-serve
bench-serve: modules ## Time, CPU and memory of plimsoll serve with 10,000 SLOs, and its start with a month of data
	$(GO) run ./bench/serve -o bench/results/serve.txt

.PHONY: fuzz
fuzz: modules ## Fuzz every target for FUZZTIME (default 30s) each
	@{ grep -rE --include='*_test.go' --exclude-dir=testdata '^func Fuzz' . || true; } | sort | \
	sed -nE 's,^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*).*,\1 \2,p' | while read -r dir name; do \
		echo "== $$dir $$name"; \
		$(GO) test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=10x "$$dir" < /dev/null; \
	done

.PHONY: generate
generate: ## Regenerate; fails if the committed files differ
	$(GO) generate ./...
	git diff --exit-code

.PHONY: tools
tools: bin/gofumpt bin/staticcheck bin/sloth ## Build the tools into bin/, to have them at hand

bin/gofumpt: tools/gofumpt/go.mod
	$(GO) build -modfile=$< -o $@ mvdan.cc/gofumpt
bin/staticcheck: tools/staticcheck/go.mod
	$(GO) build -modfile=$< -o $@ honnef.co/go/tools/cmd/staticcheck
bin/sloth: tools/sloth/go.mod
	$(GO) build -modfile=$< -o $@ github.com/slok/sloth/cmd/sloth

# The programs that make test-real needs. Prometheus comes without its service discoveries, which take 20 minutes to
# compile.
real := $(addprefix bin/,vmalert victoria-metrics promtool prometheus alertmanager amtool cortex thanos vault versitygw)
go_build_real := nice -n 19 $(GO) build -p 1 -buildvcs=false -ldflags '-s -w'

.PHONY: tools-real
tools-real: $(real) ## Build the real servers into bin/, for make test-real; PostgreSQL comes from the system's packages
	@tools/postgresql/install.sh

bin/vmalert bin/victoria-metrics: tools/victoriametrics/go.mod
	$(go_build_real) -modfile=$< -o $@ github.com/VictoriaMetrics/VictoriaMetrics/app/$(@F)
bin/promtool bin/prometheus: tools/prometheus/go.mod
	$(go_build_real) -tags=remove_all_sd -modfile=$< -o $@ github.com/prometheus/prometheus/cmd/$(@F)
bin/alertmanager bin/amtool: tools/alertmanager/go.mod
	$(go_build_real) -modfile=$< -o $@ github.com/prometheus/alertmanager/cmd/$(@F)
bin/versitygw: tools/versitygw/go.mod
	$(go_build_real) -modfile=$< -o $@ github.com/versity/versitygw/cmd/versitygw
bin/vault: tools/vault/go.mod tools/vault/main.go
	cd tools/vault; $(go_build_real) -o $(CURDIR)/$@ .
# Cortex and Thanos build in their own modules only, where their replacements count; slicelabels is what their releases
# are built with.
bin/cortex: tools/cortex/go.mod tools/cortex/go.sum
	dir=$$($(GO) mod download -C tools/cortex -json github.com/cortexproject/cortex | sed -n 's/^.*"Dir": "\(.*\)".*/\1/p'); \
	cd "$$dir"; GOWORK=off $(go_build_real) -mod=readonly -tags netgo,slicelabels -o $(CURDIR)/$@ ./cmd/cortex
bin/thanos: tools/thanos/go.mod tools/thanos/go.sum
	dir=$$($(GO) mod download -C tools/thanos -json github.com/thanos-io/thanos | sed -n 's/^.*"Dir": "\(.*\)".*/\1/p'); \
	cd "$$dir"; GOWORK=off $(go_build_real) -mod=readonly -tags slicelabels -o $(CURDIR)/$@ ./cmd/thanos
