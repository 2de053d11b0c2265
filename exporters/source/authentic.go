package source

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Authentic tells whether a delivery was made by one who knows one of secrets, of which there may be several while a
// secret is being rotated: header is the request's, body its raw body, now the time by the receiver's clock. An empty
// secret proves nothing, nor does a header that is there twice. All secrets are tried, each in a time that does not
// depend on where it differs.
type Authentic func(secrets []string, header http.Header, body []byte, now time.Time) bool

// tolerance is how far the time that a delivery was signed at may be from now. Source: Standard Webhooks.
const tolerance = 5 * time.Minute

// maxSignatures bounds the signatures that are looked at in one header.
const maxSignatures = 16

// SignedByGitHub is an Authentic: X-Hub-Signature-256 has sha256= and the HMAC-SHA256 of the body in hexadecimal digits.
// The older SHA-1 header is not looked at. Source: GitHub documentation, "Validating webhook deliveries".
func SignedByGitHub(secrets []string, header http.Header, body []byte, _ time.Time) bool {
	signature, ok := only(header, "X-Hub-Signature-256")
	return ok && signed(signature, ",", "sha256=", hex.DecodeString, bytesOf(secrets), nil, body)
}

// standardKey begins the secrets of Standard Webhooks.
const standardKey = "whsec_"

// SignedByGitLab is an Authentic. If among secrets is a signing token of GitLab, which begins with whsec_, a delivery
// that has a webhook-signature must be signed with one as SignedByStandard says; any other must carry a secret token,
// which does not begin so, in X-Gitlab-Token.
func SignedByGitLab(secrets []string, header http.Header, body []byte, now time.Time) bool {
	keyed := slices.ContainsFunc(secrets, func(s string) bool { return strings.HasPrefix(s, standardKey) })
	if keyed && len(header.Values("webhook-signature")) > 0 {
		return SignedByStandard(secrets, header, body, now)
	}
	token, ok := only(header, "X-Gitlab-Token")
	return ok && !strings.HasPrefix(token, standardKey) && secretIs(token, secrets)
}

// SignedByStandard is an Authentic for https://www.standardwebhooks.com: webhook-signature has, between spaces, a v1
// signature of webhook-id, webhook-timestamp and the body, made no more than 5 minutes from now. A secret is whsec_ and
// the key in base64; any other text proves nothing.
func SignedByStandard(secrets []string, header http.Header, body []byte, now time.Time) bool {
	id, ok1 := only(header, "webhook-id")
	sent, ok2 := only(header, "webhook-timestamp")
	signatures, ok3 := only(header, "webhook-signature")
	at, err := strconv.ParseInt(sent, 10, 64)
	if !ok1 || !ok2 || !ok3 || err != nil || !near(time.Unix(at, 0), now) {
		return false
	}
	var keys [][]byte
	for _, secret := range secrets {
		text, found := strings.CutPrefix(secret, standardKey)
		if key, err := base64.StdEncoding.DecodeString(text); found && err == nil {
			keys = append(keys, key)
		}
	}
	return signed(signatures, " ", "v1,", base64.StdEncoding.DecodeString, keys, []byte(id+"."+sent+"."), body)
}

// SignedByPagerDuty is an Authentic for webhooks v3 of PagerDuty: X-PagerDuty-Signature has, between commas, v1= and
// the HMAC-SHA256 of the body in hexadecimal digits.
func SignedByPagerDuty(secrets []string, header http.Header, body []byte, _ time.Time) bool {
	signatures, ok := only(header, "X-PagerDuty-Signature")
	return ok && signed(signatures, ",", "v1=", hex.DecodeString, bytesOf(secrets), nil, body)
}

// SignedByCircleCI is an Authentic: circleci-signature has, between commas, v1= and the HMAC-SHA256 of the body in
// hexadecimal digits.
func SignedByCircleCI(secrets []string, header http.Header, body []byte, _ time.Time) bool {
	signatures, ok := only(header, "circleci-signature")
	return ok && signed(signatures, ",", "v1=", hex.DecodeString, bytesOf(secrets), nil, body)
}

// Bearer is an Authentic for systems that do not sign but can be told to send a token: Authorization must be the word
// Bearer, in any case, and one of secrets. It proves nothing about the body.
func Bearer(secrets []string, header http.Header, _ []byte, _ time.Time) bool {
	value, ok := only(header, "Authorization")
	scheme, token, found := strings.Cut(value, " ")
	return ok && found && strings.EqualFold(scheme, "Bearer") && secretIs(strings.TrimLeft(token, " "), secrets)
}

// only returns the value of a header that is there once and not empty.
func only(header http.Header, name string) (value string, ok bool) {
	values := header.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], values[0] != ""
}

func near(at, now time.Time) bool {
	return !at.Before(now.Add(-tolerance)) && !at.After(now.Add(tolerance))
}

func bytesOf(secrets []string) [][]byte {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = []byte(secret)
	}
	return keys
}

// secretIs tells whether the token is one of secrets. It compares digests, so that not even the length of a secret can
// be learnt from the time it takes.
func secretIs(token string, secrets []string) bool {
	got := sha256.Sum256([]byte(token))
	found := 0
	for _, secret := range secrets {
		want := sha256.Sum256([]byte(secret))
		if secret != "" {
			found |= subtle.ConstantTimeCompare(got[:], want[:])
		}
	}
	return found == 1
}

// signed tells whether one of some signatures, with a separator between them, is the HMAC-SHA256 of head and body under
// one of keys. A signature that does not have the prefix is of another version.
func signed(signatures, separator, prefix string, decode func(string) ([]byte, error), keys [][]byte, head, body []byte) bool {
	var given [][]byte
	for i, text := range strings.SplitN(signatures, separator, maxSignatures+1) {
		text, found := strings.CutPrefix(strings.TrimSpace(text), prefix)
		if signature, err := decode(text); i < maxSignatures && found && err == nil && len(signature) == sha256.Size {
			given = append(given, signature)
		}
	}
	ok := false
	for _, key := range keys {
		if len(key) == 0 || len(given) == 0 {
			continue
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(head)
		mac.Write(body)
		want := mac.Sum(nil)
		for _, signature := range given {
			ok = hmac.Equal(want, signature) || ok
		}
	}
	return ok
}
