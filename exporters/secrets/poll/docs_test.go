package poll_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
)

// TestPage: the policy file of the page is one.
func TestPage(t *testing.T) {
	page := string(exportertest.Read(t, "../../../docs/secrets.md"))
	n := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(block[1], "secrets:") {
			continue
		}
		entries, list := poll.ReadPolicy("secrets.md", []byte(block[1]))
		if len(list) > 0 {
			t.Errorf("the example has findings: %v", list)
		}
		n += len(entries)
	}
	if n != 3 {
		t.Errorf("the page has %d secrets, want 3", n)
	}
}

// TestHashOnPage: the command of the page gives what is shown of a name.
func TestHashOnPage(t *testing.T) {
	// printf %s app | openssl dgst -sha256 -hmac 0123456789abcdef -r | cut -c1-16
	if got := (secrets.Naming{Key: "0123456789abcdef"}).Show("app"); got != "a50061a841a0d1e4" {
		t.Errorf("the name is shown as %s, openssl says a50061a841a0d1e4", got)
	}
}
