//go:build real

package realtest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// sample is one value of one series at one time.
type sample struct {
	labels store.Labels
	t      time.Time
	v      float64
	h      *histogram.Histogram // instead of v, unless nil
}

// database is a server with the HTTP API of Prometheus.
type database struct {
	*server
	flush  string // path that makes what was written visible; empty if it is so at once
	push   string // path of remote write; empty means that of Prometheus
	prefix string // of the path of queries
	// writeURL is where remote writes go, if that is another server.
	writeURL string
	disturb  func() // what happens to it halfway through a story; nil means nothing
}

// prometheus starts a Prometheus that scrapes nothing and takes remote writes.
func prometheus(t testing.TB) *database {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	config := write(t, dir, "prometheus.yml", "storage: {tsdb: {out_of_order_time_window: 1d}}\n")
	return &database{server: start(t, "prometheus", addr, "/-/ready",
		"--config.file="+config, "--storage.tsdb.path="+dir+"/data", "--storage.tsdb.retention.time=10y",
		"--web.listen-address="+addr, "--web.enable-remote-write-receiver", "--log.level=warn")}
}

// victoria starts a single-node VictoriaMetrics.
func victoria(t testing.TB, flags ...string) *database {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	return &database{flush: "/internal/force_flush", server: start(t, "victoria-metrics", addr, "/health", append([]string{
		"-storageDataPath=" + dir + "/data", "-httpListenAddr=" + addr, "-retentionPeriod=10y",
		"-search.disableCache", "-loggerLevel=ERROR", "-memory.allowedBytes=256MB",
	}, flags...)...)}
}

// write sends samples by remote write 1.0.
func (d *database) write(samples ...sample) {
	d.t.Helper()
	if len(samples) == 0 {
		return
	}
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, cmp.Or(d.writeURL, d.url+cmp.Or(d.push, "/api/v1/write")), bytes.NewReader(snappy(writeRequest(samples))))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	d.do(req)
}

// sync makes visible what was written.
func (d *database) sync() {
	d.t.Helper()
	if d.flush != "" {
		d.get(d.flush, nil)
	}
}

// query evaluates an instant query, or one for the raw samples of a range. Without nocache, VictoriaMetrics would
// answer for another time than the one asked for, if that is less than 30 s ago.
func (d *database) query(expr string, at time.Time) []sample {
	d.t.Helper()
	body := d.get(d.prefix+"/api/v1/query", url.Values{"query": {expr}, "time": {stamp(at)}, "nocache": {"1"}})
	var answer struct {
		Data struct {
			Type   string `json:"resultType"`
			Result json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		d.t.Fatalf("%s: query %s: %v", d.name, expr, err)
	}
	var series []struct {
		Metric store.Labels
		Value  point
		Values []point
	}
	if answer.Data.Type == "scalar" {
		var p point
		err := json.Unmarshal(answer.Data.Result, &p)
		if err != nil {
			d.t.Fatalf("%s: query %s: %v", d.name, expr, err)
		}
		return []sample{{labels: store.Labels{}, t: p.t, v: p.v}}
	}
	if err := json.Unmarshal(answer.Data.Result, &series); err != nil {
		d.t.Fatalf("%s: query %s: %v", d.name, expr, err)
	}
	var out []sample
	for _, s := range series {
		if answer.Data.Type == "vector" {
			s.Values = []point{s.Value}
		}
		for _, p := range s.Values {
			out = append(out, sample{labels: s.Metric, t: p.t, v: p.v})
		}
	}
	return out
}

// point is [seconds, "value"] in JSON.
type point struct {
	t time.Time
	v float64
}

// UnmarshalJSON reads a point.
func (p *point) UnmarshalJSON(b []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(string(pair[0]), 64)
	if err != nil {
		return err
	}
	p.t = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	var text string
	if err := json.Unmarshal(pair[1], &text); err != nil {
		return err
	}
	p.v, err = strconv.ParseFloat(text, 64)
	return err
}

// stamp writes t as seconds with milliseconds.
func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// get asks for a path and returns the answer.
func (s *server) get(path string, form url.Values) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path+"?"+form.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(req)
}

// do wants a good answer and returns its body.
func (s *server) do(req *http.Request) []byte {
	s.t.Helper()
	if s.tenant != "" {
		req.Header.Set("X-Scope-OrgID", s.tenant)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		s.t.Fatalf("%s: %s %s: %s %v\n%s", s.name, req.Method, req.URL, res.Status, err, body)
	}
	return body
}

// writeRequest encodes samples as the protocol buffer prometheus.WriteRequest, a series per sample: repeated
// TimeSeries timeseries = 1 {repeated Label labels = 1 {string name = 1; value = 2}; repeated Sample samples = 2
// {double value = 1; int64 timestamp = 2}; repeated Histogram histograms = 4}.
func writeRequest(samples []sample) []byte {
	var out []byte
	for _, s := range samples {
		var series []byte
		for _, name := range slices.Sorted(maps.Keys(s.labels)) {
			series = field(series, 1, field(field(nil, 1, []byte(name)), 2, []byte(s.labels[name])))
		}
		if s.h != nil {
			out = field(out, 1, field(series, 4, histogramField(s.h, s.t)))
			continue
		}
		value := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(s.v))
		value = binary.AppendUvarint(append(value, 2<<3), uint64(s.t.UnixMilli()))
		out = field(out, 1, field(series, 2, value))
	}
	return out
}

// field appends a field of bytes of a protocol buffer.
func field(b []byte, number byte, content []byte) []byte {
	b = binary.AppendUvarint(append(b, number<<3|2), uint64(len(content)))
	return append(b, content...)
}

// snappy encodes b in the block format of snappy, without compressing it: the length, then literals of up to 64 KiB.
func snappy(b []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(b)))
	for piece := range slices.Chunk(b, 1<<16) {
		const twoByteLength = 61 << 2
		out = binary.LittleEndian.AppendUint16(append(out, twoByteLength), uint16(len(piece)-1))
		out = append(out, piece...)
	}
	return out
}

// key names the series.
func (s sample) key() string { return s.labels.String() }

// String is for messages.
func (s sample) String() string { return fmt.Sprintf("%s %v @%s", s.key(), s.v, stamp(s.t)) }
