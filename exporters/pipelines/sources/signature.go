package sources

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// SignedByGitHub tells whether the X-Hub-Signature-256 header is the HMAC-SHA256 of the raw body under one of secrets,
// of which there may be several while a secret is being rotated. The older SHA-1 header is not looked at. The
// comparison takes the same time wherever the signatures differ.
// Source: GitHub documentation, "Validating webhook deliveries".
func SignedByGitHub(secrets []string, header http.Header, body []byte) bool {
	digits, found := strings.CutPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
	signature, err := hex.DecodeString(digits)
	if !found || err != nil || len(signature) != sha256.Size {
		return false
	}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if secret != "" && hmac.Equal(mac.Sum(nil), signature) {
			return true
		}
	}
	return false
}
