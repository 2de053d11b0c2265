package promql

import (
	"slices"
	"strings"
)

// CounterName reports whether a metric of this name is a counter by convention: it ends in total, count, sum or
// bucket after an underscore or, for OpenTelemetry names that are not translated, a dot.
func CounterName(name string) bool {
	i := strings.LastIndexAny(name, "_.")
	return i > 0 && slices.Contains([]string{"total", "count", "sum", "bucket"}, name[i+1:])
}

// LooksLikeGauge reports whether a metric of this name is very likely a gauge, for which rate makes no sense.
// It is conservative: names of durations and sizes may be native histograms and are not reported.
// Source: the naming conventions of Prometheus and OpenMetrics, and the metrics of well-known exporters.
func LooksLikeGauge(name string) bool {
	if CounterName(name) {
		return false
	}
	switch name {
	case "up", "ALERTS", "ALERTS_FOR_STATE", "probe_success", "probe_duration_seconds", "scrape_duration_seconds",
		"scrape_samples_scraped", "go_goroutines", "go_threads", "process_open_fds", "process_max_fds", "pg_up",
		"mysql_up", "redis_up", "node_load1", "node_load5", "node_load15":
		return true
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 { // a recording rule, level:metric:operations
		op := name[i+1:]
		return strings.HasPrefix(op, "ratio") || strings.HasPrefix(op, "rate") && len(op) > 4 && op[4] >= '0' && op[4] <= '9'
	}
	hasSuffix := func(s string) bool {
		return strings.HasSuffix(name, "_"+s) || strings.HasSuffix(name, "."+s)
	}
	if slices.ContainsFunc([]string{
		"info", "ratio", "celsius", "percent", "utilization", "timestamp_seconds", "created", "volts", "amperes",
		"start_time_seconds", "boot_time_seconds", "limit", "max", "min", "temperature", "in_flight", "up",
	}, hasSuffix) {
		return true
	}
	if strings.HasPrefix(name, "kube_") && (strings.Contains(name, "_status_") || strings.Contains(name, "_spec_") ||
		strings.HasSuffix(name, "_labels") || strings.HasSuffix(name, "_annotations")) {
		return true
	}
	return (hasSuffix("seconds") || hasSuffix("bytes")) && !mayBeHistogram(name)
}

// mayBeHistogram reports whether name is one under which applications record distributions.
func mayBeHistogram(name string) bool {
	return slices.ContainsFunc([]string{
		"duration", "latency", "size", "time", "request", "response", "delay", "wait", "lag", "age", "elapsed",
	}, func(w string) bool { return strings.Contains(name, w) })
}
