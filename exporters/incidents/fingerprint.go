package incidents

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// NewFingerprint returns 32 hexadecimal digits that are the same for the same parts in the same order, and others for
// any other parts.
func NewFingerprint(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		_, _ = io.WriteString(h, string(sum[:]))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
