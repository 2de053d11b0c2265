package slo

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

// Decimal is an exact decimal number in its shortest form: "0.999", "12000.5".
// The empty Decimal is zero.
type Decimal string

// decimal returns x as a Decimal. x has at most 17 decimal places.
func decimal(x *big.Rat) Decimal {
	s := x.FloatString(17)
	s = strings.TrimRight(s, "0")
	return Decimal(strings.TrimSuffix(s, "."))
}

// Rat returns d exactly.
func (d Decimal) Rat() *big.Rat {
	x, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return new(big.Rat)
	}
	return x
}

// Float returns the float64 nearest to d.
func (d Decimal) Float() float64 {
	f, _ := d.Rat().Float64()
	return f
}

// Complement returns 1 - d exactly.
func (d Decimal) Complement() Decimal {
	return decimal(new(big.Rat).Sub(big.NewRat(1, 1), d.Rat()))
}

// Percent returns d as a percentage without loss, for example "99.9%".
func (d Decimal) Percent() string {
	return string(decimal(new(big.Rat).Mul(d.Rat(), big.NewRat(100, 1)))) + "%"
}

// Duration is a length of time, in JSON in Prometheus notation ("30d").
type Duration time.Duration

// String returns d in Prometheus notation.
func (d Duration) String() string { return promql.FormatDuration(time.Duration(d)) }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	x, err := promql.ParseDuration(string(b))
	*d = Duration(x)
	return err
}

// Period is a calendar period.
type Period string

// Calendar periods. A week starts on Monday.
const (
	Week    Period = "week"
	Month   Period = "month"
	Quarter Period = "quarter"
	Year    Period = "year"
)

// Window is the period over which the budget is counted: rolling (Rolling is
// set), or a calendar period in a time zone (Calendar and Zone are set).
type Window struct {
	Rolling  Duration `json:"rolling,omitempty"`
	Calendar Period   `json:"calendar,omitempty"`
	Zone     string   `json:"timeZone,omitempty"` // IANA name
}

// Length returns the length of w; of a calendar period its mean length in the
// Gregorian calendar, a year being 365.2425 days.
func (w Window) Length() time.Duration {
	year := time.Duration(31556952) * time.Second
	switch w.Calendar {
	case Week:
		return 7 * 24 * time.Hour
	case Month:
		return year / 12
	case Quarter:
		return year / 4
	case Year:
		return year
	}
	return time.Duration(w.Rolling)
}

// String returns w in words: "30d rolling", "month (Europe/Berlin)".
func (w Window) String() string {
	if w.Calendar != "" {
		return fmt.Sprintf("%s (%s)", w.Calendar, w.Zone)
	}
	if day := Duration(24 * time.Hour); w.Rolling%day == 0 {
		return fmt.Sprintf("%dd rolling", w.Rolling/day)
	}
	return w.Rolling.String() + " rolling"
}

// Bounds returns the start and end of the calendar period that contains at,
// or the trailing window that ends at at when w is rolling. The end is not
// part of the period. Days that daylight saving makes longer or shorter count
// with their real length.
func (w Window) Bounds(at time.Time) (from, to time.Time, err error) {
	if w.Calendar == "" {
		return at.Add(-time.Duration(w.Rolling)), at, nil
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return from, to, fmt.Errorf("load time zone %q: %w", w.Zone, err)
	}
	y, m, d := at.In(zone).Date()
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, zone) }
	switch w.Calendar {
	case Week:
		d -= (int(at.In(zone).Weekday()) + 6) % 7
		return date(y, m, d), date(y, m, d+7), nil
	case Month:
		return date(y, m, 1), date(y, m+1, 1), nil
	case Quarter:
		m -= (m - 1) % 3
		return date(y, m, 1), date(y, m+3, 1), nil
	case Year:
		return date(y, 1, 1), date(y+1, 1, 1), nil
	}
	return from, to, fmt.Errorf("want a calendar period week, month, quarter or year, have %q", w.Calendar)
}
