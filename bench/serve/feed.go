package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// feed sends the counters of all SLOs at t by remote write 1.0, 5000 SLOs a request.
func feed(url string, slos int, t time.Time) error {
	for from := 0; from < slos; from += 5000 {
		var body []byte
		for i := from; i < min(from+5000, slos); i++ {
			for _, s := range counters(i, t) {
				body = appendSeries(body, s)
			}
		}
		res, err := http.Post(url+"/api/v1/write", "application/x-protobuf", bytes.NewReader(block(body)))
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode/100 != 2 {
			return fmt.Errorf("push: %s: %s %w", res.Status, text, err)
		}
	}
	return nil
}

// appendSeries appends a series with one sample in the form of prometheus.WriteRequest.
func appendSeries(b []byte, s store.Sample) []byte {
	var series []byte
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		series = field(series, 1, field(field(nil, 1, []byte(name)), 2, []byte(s.Labels[name])))
	}
	value := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(s.V))
	value = binary.AppendUvarint(append(value, 2<<3), uint64(s.T.UnixMilli()))
	return field(b, 1, field(series, 2, value))
}

// field appends a field of bytes of a protocol buffer.
func field(b []byte, number byte, content []byte) []byte {
	b = binary.AppendUvarint(append(b, number<<3|2), uint64(len(content)))
	return append(b, content...)
}

// block is b in the block format of snappy, not compressed.
func block(b []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(b)))
	for piece := range slices.Chunk(b, 1<<16) {
		const twoByteLength = 61 << 2
		out = binary.LittleEndian.AppendUint16(append(out, twoByteLength), uint16(len(piece)-1))
		out = append(out, piece...)
	}
	return out
}
