//go:build remove_all_sd && parquet

package gateway

import (
	"io"

	"github.com/plimsoll-slo/plimsoll/exporters/cost/parquet"
)

// parquetOpener returns what opens bills in Parquet.
func parquetOpener() func(io.ReaderAt, int64) (io.ReadCloser, error) {
	return func(file io.ReaderAt, size int64) (io.ReadCloser, error) {
		text, err := parquet.Open(file, size)
		if err != nil {
			return nil, err
		}
		return text, nil
	}
}
