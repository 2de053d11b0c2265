package poll_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
)

func pemOf(certificate []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
}

const certificateJSON = `{"metadata": {"namespace": %q, "name": %q, "labels": {"plimsoll.dev/owner": "web", "x": "hunter2"}, "annotations": {"y": "hunter2"}},
"spec": {"secretName": "hunter2"}, "status": {"notBefore": %q, "renewalTime": %q, "notAfter": "2026-12-31T00:00:00Z",
"lastFailureTime": %s, "failedIssuanceAttempts": %d, "conditions": [{"message": "hunter2"}]}}`

func TestCertManager(t *testing.T) {
	failure, attempts := "null", 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+token || req.URL.Path != "/apis/cert-manager.io/v1/certificates" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if req.URL.Query().Get("continue") == "" {
			fmt.Fprintf(w, `{"metadata": {"continue": "more+"}, "items": [`+certificateJSON+`]}`, "shop", "www", "2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z", failure, attempts)
		} else {
			fmt.Fprintf(w, `{"metadata": {}, "items": [`+certificateJSON+`]}`, "pay", "api", "2026-10-02T00:00:00Z", "2026-12-02T00:00:00Z", "null", 0)
		}
	}))
	t.Cleanup(server.Close)
	r := newRounds(t, poll.Config{Kind: poll.CertManager, BaseURL: server.URL, Naming: plain})
	r.want(`rotation.observed kubernetes//shop/certificate/www active web rotated 2026-10-01T00:00:00Z due 2026-12-01T00:00:00Z
		rotation.observed kubernetes//pay/certificate/api active web rotated 2026-10-02T00:00:00Z due 2026-12-02T00:00:00Z
		listed kubernetes/`)
	failure, attempts = `"2026-11-21T01:20:30Z"`, 1
	r.want(`rotation.failed kubernetes//shop/certificate/www web failure
		rotation.observed kubernetes//shop/certificate/www active web rotated 2026-10-01T00:00:00Z due 2026-12-01T00:00:00Z
		listed kubernetes/`)
	r.want("listed kubernetes/")
}
