package cost

import (
	"errors"
	"math/big"
	"strings"
)

// Decimals is how many decimals an Amount has. Bills have up to 15; the 17 digits of a float64 of 1e-18 need 35.
const Decimals = 36

// maxWhole is the most digits before the point: more is not money but a mistake, or an attack with 1e400.
const maxWhole = 20

// Amount is an exact decimal number: a whole multiple of 10^-36. The zero value is 0. Amounts are values: no method
// changes one. A scaled math/big.Int and not a decimal library: bills are only added up, and with one scale adding is
// exact without rounding modes, contexts or a NaN, for a program that links nothing more.
type Amount struct{ n *big.Int }

var (
	errNotNumber = errors.New("not a decimal number")
	errTooLarge  = errors.New("has more than 20 digits before the point")
	errTooFine   = errors.New("has more than 36 decimals")
)

// Whole returns a whole number as an amount.
func Whole(n int64) Amount { return Amount{new(big.Int).Mul(big.NewInt(n), powerOfTen(Decimals))} }

// ParseAmount reads a decimal number such as -12.50, +.5 or 1.2E-7. White space around it, one currency sign before the
// digits, and commas between groups of three digits are allowed; commas only if a point follows, because 1,234 alone
// has two meanings. It fails for anything else, NaN and infinities included, and for what an Amount can not hold exactly.
func ParseAmount(s string) (Amount, error) { return parseAmount(s, false) }

// parseAmount is ParseAmount; cut says to drop decimals that are too fine, for sources that pass binary floats on.
func parseAmount(s string, cut bool) (Amount, error) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	for _, sign := range []string{"$", "€", "£", "¥"} {
		s = strings.TrimPrefix(s, sign)
	}
	mantissa, exponent, err := splitExponent(s)
	if err != nil {
		return Amount{}, err
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if whole, err = ungroup(whole, point); err != nil {
		return Amount{}, err
	}
	if whole+fraction == "" || !digits(whole) || !digits(fraction) {
		return Amount{}, errNotNumber
	}
	n, err := scale(whole+fraction, exponent-len(fraction), cut)
	if err != nil {
		return Amount{}, err
	}
	if negative {
		n.Neg(n)
	}
	return Amount{n}, nil
}

// splitExponent cuts the exponent off; it is at most three digits, so that nobody makes us compute 10^999999999.
func splitExponent(s string) (mantissa string, exponent int, err error) {
	at := strings.IndexAny(s, "eE")
	if at < 0 {
		return s, 0, nil
	}
	mantissa, s = s[:at], s[at+1:]
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if s == "" || !digits(s) {
		return "", 0, errNotNumber
	}
	if len(s) > 3 {
		return "", 0, errTooLarge
	}
	for _, c := range s {
		exponent = 10*exponent + int(c-'0')
	}
	if negative {
		exponent = -exponent
	}
	return mantissa, exponent, nil
}

// ungroup removes the commas of 1,234,567.
func ungroup(whole string, point bool) (string, error) {
	if !strings.Contains(whole, ",") {
		return whole, nil
	}
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || g == "" || len(g) > 3 || !point {
			return "", errNotNumber
		}
	}
	return strings.Join(groups, ""), nil
}

// scale returns digits * 10^exponent as a multiple of 10^-Decimals.
func scale(s string, exponent int, cut bool) (*big.Int, error) {
	s = strings.TrimLeft(s, "0")
	for len(s) > 0 && s[len(s)-1] == '0' {
		s, exponent = s[:len(s)-1], exponent+1
	}
	switch {
	case s == "":
		return new(big.Int), nil
	case len(s)+exponent > maxWhole:
		return nil, errTooLarge
	case -exponent > Decimals && !cut:
		return nil, errTooFine
	case -exponent > Decimals:
		// Not below zero digits: a number that is too small by far is 0.
		s, exponent = s[:max(0, len(s)+exponent+Decimals)], -Decimals
	}
	n := new(big.Int)
	if len(s) < 19 {
		var small uint64
		for i := range len(s) {
			small = 10*small + uint64(s[i]-'0')
		}
		n.SetUint64(small)
	} else {
		n.SetString(s, 10)
	}
	return n.Mul(n, powerOfTen(Decimals+exponent)), nil
}

func powerOfTen(n int) *big.Int {
	if n < 19 {
		small := int64(1)
		for range n {
			small *= 10
		}
		return big.NewInt(small)
	}
	p := powerOfTen(18)
	return p.Mul(p, powerOfTen(n-18))
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// int returns the multiple of 10^-Decimals. It belongs to a and is not changed.
func (a Amount) int() *big.Int {
	if a.n == nil {
		return new(big.Int)
	}
	return a.n
}

// Plus returns the sum.
func (a Amount) Plus(b Amount) Amount { return Amount{new(big.Int).Add(a.int(), b.int())} }

// Minus returns the difference.
func (a Amount) Minus(b Amount) Amount { return Amount{new(big.Int).Sub(a.int(), b.int())} }

// Sign returns -1, 0 or 1.
func (a Amount) Sign() int { return a.int().Sign() }

// Equal tells whether both are the same number.
func (a Amount) Equal(b Amount) bool { return a.int().Cmp(b.int()) == 0 }

// Truncated returns a without its decimals, nearer to 0.
func (a Amount) Truncated() Amount {
	one := powerOfTen(Decimals)
	n := new(big.Int).Quo(a.int(), one)
	return Amount{n.Mul(n, one)}
}

// Float returns the nearest float64: what leaves for a monitoring system. Everything before is exact.
func (a Amount) Float() float64 {
	f, _ := new(big.Rat).SetFrac(a.int(), powerOfTen(Decimals)).Float64()
	return f
}

// String returns all the decimals that are not 0: "-12.5".
func (a Amount) String() string {
	s := new(big.Int).Abs(a.int()).String()
	if len(s) <= Decimals {
		s = strings.Repeat("0", Decimals+1-len(s)) + s
	}
	at := len(s) - Decimals
	s = strings.TrimRight(strings.TrimRight(s[:at]+"."+s[at:], "0"), ".")
	if a.Sign() < 0 {
		return "-" + s
	}
	return s
}
