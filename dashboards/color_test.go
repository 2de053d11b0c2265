package dashboards

import (
	"math"
	"strconv"
	"testing"
)

type vector [3]float64

// linear returns the linear RGB values of a colour like #287ed6.
func linear(t *testing.T, hex string) vector {
	t.Helper()
	var out vector
	for i := range out {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil || len(hex) != 7 {
			t.Fatalf("%q is no colour: %v", hex, err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			out[i] = c / 12.92
		} else {
			out[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return out
}

// contrast is that of WCAG 2, from 1 to 21.
func contrast(a, b vector) float64 {
	light := func(c vector) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] + 0.05 }
	return max(light(a)/light(b), light(b)/light(a))
}

// lab returns c in CIELAB, white being D65.
func lab(c vector) vector {
	f := func(t float64) float64 {
		if t > 0.008856 {
			return math.Cbrt(t)
		}
		return 7.787*t + 16.0/116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047)
	y := f(0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2])
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883)
	return vector{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// seen returns how c looks. Source: Machado, Oliveira, Fernandes, "A
// Physiologically-based Model for Simulation of Color Vision Deficiency", 2009,
// severity 1.
func seen(m [3]vector, c vector) vector {
	var out vector
	for i, row := range m {
		out[i] = min(1, max(0, row[0]*c[0]+row[1]*c[1]+row[2]*c[2]))
	}
	return out
}

// The colours of states can be read on the panels of both themes, and told apart
// by people with every kind of colour blindness.
func TestColors(t *testing.T) {
	eyes := map[string][3]vector{
		"all colours":  {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
		"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	}
	colors := []string{good, notice, warning, bad}
	for i, c := range colors {
		for theme, ground := range map[string]string{"light": "#ffffff", "dark": "#181b1f"} {
			if got := contrast(linear(t, c), linear(t, ground)); got < 3 {
				t.Errorf("%s on the %s theme has a contrast of %.2f, want 3", c, theme, got)
			}
		}
		for _, d := range colors[:i] {
			for eye, m := range eyes {
				a, b := lab(seen(m, linear(t, c))), lab(seen(m, linear(t, d)))
				if far := math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2]); far < 15 {
					t.Errorf("%s and %s are %.1f apart with %s, want 15", c, d, far, eye)
				}
			}
		}
	}
}
