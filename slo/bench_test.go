package slo

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// fleet returns files like those of a large company: perFile SLOs in each, of
// all common variants, with services, descriptions and labels.
func fleet(files, perFile int) []File {
	slis := []string{
		"    events:\n      bad: http_requests_total{job=\"%[1]s\",code=~\"5..\"}\n      total: http_requests_total{job=\"%[1]s\"}\n",
		"    latency:\n      histogram: http_request_duration_seconds{job=\"%[1]s\",route!=\"/healthz\"}\n      threshold: 300ms\n      buckets: [0.1, 0.3, 1, 3]\n",
		"    events:\n      good: >-\n        sum by (zone) (grpc_server_handled_total{job=\"%[1]s\",grpc_code!~\"Internal|Unavailable|DeadlineExceeded\"})\n      total: sum by (zone) (grpc_server_handled_total{job=\"%[1]s\"})\n",
		"    availability: {probe: 'probe_success{job=\"blackbox\",target=\"%[1]s\"}'}\n",
		"    freshness: {timestamp: 'backup_last_success_timestamp_seconds{job=\"%[1]s\"}', maxAge: 1d}\n",
	}
	var out []File
	for i := range files {
		service := fmt.Sprintf("service-%04d", i)
		text := fmt.Appendf(nil, "apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: %s}\nspec:\n  owner: {team: team-%d}\n  runbook: https://runbooks.example/%s\n", service, i%50, service)
		for j := range perFile {
			text = fmt.Appendf(text, "---\n# What users of %[1]s notice.\napiVersion: plimsoll.dev/v1\nkind: SLO\nmetadata:\n  name: %[1]s-%[2]d\n  displayName: %[1]s, promise %[2]d\n  labels: {tier: gold}\nspec:\n  description: Requests of %[1]s are answered well.\n  service: %[1]s\n  objective:\n    target: \"99.%[3]d%%\"\n    window: {rolling: 30d}\n  eventsPerHour: 50000\n  sli:\n", service, j, 1+j%8)
			text = fmt.Appendf(text, slis[(i+j)%len(slis)], service)
		}
		out = append(out, File{fmt.Sprintf("specs/%s.yaml", service), text})
	}
	return out
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchmarkCompile(b *testing.B, files []File) {
	b.ReportAllocs()
	start, n := cpuTime(), 0
	var set *Set
	for b.Loop() {
		set = mustCompile(b, files)
		n++
	}
	cpu := cpuTime() - start
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(cpu.Seconds()/float64(n), "cpu-s/op")
	b.ReportMetric(float64(len(set.SLOs)*n)/cpu.Seconds(), "SLOs/cpu-s")
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "heap-MiB")
}

// BenchmarkCompile measures one SLO, and 10,000 SLOs in 1,000 files.
func BenchmarkCompile(b *testing.B) {
	b.Run("1", func(b *testing.B) { benchmarkCompile(b, []File{{"f.yaml", []byte(minimal)}}) })
	b.Run("10000", func(b *testing.B) { benchmarkCompile(b, fleet(1000, 10)) })
}
