package remote

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	f := func(body, want string, secrets ...string) {
		t.Helper()
		if got := Words([]byte(body), secrets...); got != want {
			t.Errorf("%.40q: got %q, want %q", body, got, want)
		}
	}
	f("", "")
	f(" no\r\n\tsuch \x1b[31mtenant\x00 ", "no such [31mtenant")
	f("bad token t0k3n and t0k3n, password pw", "bad token *** and ***, password ***", "t0k3n", "", "pw")
	f("caf\xe9", "caf?")
	f(strings.Repeat("x", 1<<20), strings.Repeat("x", maxQuote)+" ...")
	// A character that is cut in two is left out.
	f(strings.Repeat("x", maxQuote-1)+"é", strings.Repeat("x", maxQuote-1)+" ...")
	f(strings.Repeat("x", maxQuote-2)+"t0k3n", strings.Repeat("x", maxQuote-2)+"**"+" ...", "t0k3n")
}
