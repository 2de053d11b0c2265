package promql

import (
	"fmt"

	"github.com/VictoriaMetrics/metricsql"
)

// CheckVictoria returns an error if VictoriaMetrics cannot parse expr. That it means the same there is not judged.
func CheckVictoria(expr string) error {
	if _, err := metricsql.Parse(expr); err != nil {
		return fmt.Errorf("read %q as MetricsQL: %w", expr, err)
	}
	return nil
}
