package promql

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// ParseDuration reads a duration in Prometheus notation: whole numbers with the units y (365 d), w (7 d), d (24 h),
// h, m, s and ms, each at most once and from the largest to the smallest, as in 1h30m; or 0. It is never negative.
func ParseDuration(s string) (time.Duration, error) {
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want a form such as 30s, 5m, 1h30m or 30d: %w", s, err)
	}
	return time.Duration(d), nil
}

// FormatDuration writes d in Prometheus notation, exact to the millisecond (the rest is cut off), as in 4m59s999ms.
// Years and weeks appear only if they come out even. ParseDuration reads it back, unless d is negative.
func FormatDuration(d time.Duration) string {
	return model.Duration(d).String()
}
