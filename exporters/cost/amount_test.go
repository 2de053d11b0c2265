package cost_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
)

func TestParseAmount(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, err := cost.ParseAmount(in)
		if err != nil || got.String() != want {
			t.Errorf("ParseAmount(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
	f("0", "0")
	f("-0.00", "0")
	f("12", "12")
	f("-12.50", "-12.5")
	f("+.5", "0.5")
	f("5.", "5")
	f("0.00000080000", "0.0000008")
	f("1.2E-7", "0.00000012")
	f("1e3", "1000")
	f("12.5e+1", "125")
	f("0e999", "0")
	f("0.002110786736011505", "0.002110786736011505")
	f(" 1.5\t", "1.5")
	f("$1,000.00 ", "1000")
	f("-$1,234,567.80", "-1234567.8")
	f("€0.10", "0.1")
	f(strings.Repeat("0", 5000)+"7", "7")
	f(strings.Repeat("9", 20), strings.Repeat("9", 20))
	f("1e-36", "0."+strings.Repeat("0", 35)+"1")
}

func TestParseAmountRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "-", "+", ".", "$", "e5", "1e", "1e+", "--1", "1-", "1.2.3", "0x10", "1_000", "NaN", "nan", "Inf", "-Infinity",
		"1e400", "1e999999999", "1e-37", "1e-400", strings.Repeat("9", 21), "1,234", "$1,000", "1,23.00", "1234,567.00", ",123.00",
		"1.234,56", "(12.00)", "12 USD", "１２", "1 000.00",
	} {
		if got, err := cost.ParseAmount(in); err == nil {
			t.Errorf("ParseAmount(%q) = %s, want an error", in, got)
		}
	}
}

// TestAmountLaws compares with fractions.
func TestAmountLaws(t *testing.T) {
	text := rapid.StringMatching(`-?[0-9]{1,19}\.[0-9]{0,36}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		x, errX := cost.ParseAmount(a)
		y, errY := cost.ParseAmount(b)
		if errX != nil || errY != nil {
			t.Fatalf("parse %q, %q: %v, %v", a, b, errX, errY)
		}
		check := func(what string, got cost.Amount, want *big.Rat) {
			if rat(t, got.String()).Cmp(want) != 0 {
				t.Fatalf("%s of %s and %s is %s, want %s", what, a, b, got, want.FloatString(40))
			}
			if float, _ := want.Float64(); got.Float() != float {
				t.Fatalf("%s.Float() = %g, want %g", got, got.Float(), float)
			}
		}
		check("sum", x.Plus(y), new(big.Rat).Add(rat(t, a), rat(t, b)))
		check("difference", x.Minus(y), new(big.Rat).Sub(rat(t, a), rat(t, b)))
		whole, _, _ := strings.Cut(a, ".")
		check("whole", x.Truncated(), rat(t, whole))
		if again, err := cost.ParseAmount(x.String()); err != nil || !again.Equal(x) {
			t.Fatalf("%s becomes %s, %v", x, again, err)
		}
	})
}

type fatal interface{ Fatalf(string, ...any) }

func rat(t fatal, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("no fraction: %q", text)
	}
	return r
}
