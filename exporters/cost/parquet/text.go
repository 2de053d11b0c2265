package parquet

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

// texts returns how to write values of a type that are not null.
func texts(t parquet.Type) func(parquet.Value) string {
	logical := t.LogicalType()
	switch {
	case logical != nil && logical.Decimal != nil:
		scale := int(logical.Decimal.Scale)
		return func(v parquet.Value) string { return decimal(v, scale) }
	case logical != nil && logical.Timestamp != nil:
		layout := "2006-01-02T15:04:05.999999999"
		if logical.Timestamp.IsAdjustedToUTC {
			layout += "Z"
		}
		unit := time.Nanosecond
		if logical.Timestamp.Unit.Millis != nil {
			unit = time.Millisecond
		} else if logical.Timestamp.Unit.Micros != nil {
			unit = time.Microsecond
		}
		return func(v parquet.Value) string { return moment(v.Int64(), unit).Format(layout) }
	case logical != nil && logical.Date != nil:
		return date
	}
	if converted := t.ConvertedType(); converted != nil && logical == nil {
		switch *converted {
		case deprecated.TimestampMillis:
			return func(v parquet.Value) string { return moment(v.Int64(), time.Millisecond).Format(time.RFC3339Nano) }
		case deprecated.TimestampMicros:
			return func(v parquet.Value) string { return moment(v.Int64(), time.Microsecond).Format(time.RFC3339Nano) }
		case deprecated.Date:
			return date
		}
	}
	return plain
}

// moment returns a time from a count of units since 1970.
func moment(n int64, unit time.Duration) time.Time {
	perSecond := int64(time.Second / unit)
	return time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC()
}

func date(v parquet.Value) string {
	return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().Format(time.DateOnly)
}

// decimal writes a whole number of 10^-scale; bytes are its two's complement, the highest first.
func decimal(v parquet.Value, scale int) string {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	case parquet.ByteArray, parquet.FixedLenByteArray:
		b := v.ByteArray()
		if n.SetBytes(b); len(b) > 0 && b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	return n.String() + "e-" + strconv.Itoa(scale)
}

// plain writes a value as its physical type says.
func plain(v parquet.Value) string {
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float:
		return float(float64(v.Float()), 32)
	case parquet.Double:
		return float(v.Double(), 64)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray())
	case parquet.Int96:
		// Julian days behind nanoseconds of the day: times of older writers.
		i := v.Int96()
		nanoseconds := int64(i[1])<<32 | int64(i[0])
		return time.Unix((int64(i[2])-2_440_588)*24*60*60, nanoseconds).UTC().Format(time.RFC3339Nano)
	}
	return ""
}

// float writes the fewest digits that mean the number, and at most 36 decimals: what package cost can hold.
func float(f float64, bits int) string {
	if math.Abs(f) >= 1e-15 || math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', -1, bits)
	}
	shortest := strconv.FormatFloat(f, 'f', -1, bits)
	if at := strings.IndexByte(shortest, '.'); at >= 0 && len(shortest) > at+37 {
		return shortest[:at+37]
	}
	return shortest
}
