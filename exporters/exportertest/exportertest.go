// Package exportertest has what tests of decoders and receivers share: signed deliveries and planted secrets.
package exportertest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// GitHubSignature returns the X-Hub-Signature-256 of a body. It is written apart from the code that checks it.
func GitHubSignature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Replace returns a JSON object with the values at some places replaced; a place is the names on the way to it with
// dots between them.
func Replace(object []byte, values map[string]any) ([]byte, error) {
	v, err := parse(object)
	if err != nil {
		return nil, err
	}
	for place, value := range values {
		names := strings.Split(place, ".")
		at := v
		for _, name := range names[:len(names)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				return nil, fmt.Errorf("replace %q: no object %q", place, name)
			}
			at = next
		}
		at[names[len(names)-1]] = value
	}
	return json.Marshal(v)
}

// Plant returns a JSON object with every text and every null in it replaced by the canary, except at the places to
// keep. Numbers and truth values stay.
func Plant(object []byte, canary string, keep ...string) ([]byte, error) {
	v, err := parse(object)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plant(v, "", canary, keep))
}

func plant(v any, place, canary string, keep []string) any {
	if slices.Contains(keep, strings.TrimPrefix(place, ".")) {
		return v
	}
	switch v := v.(type) {
	case string, nil:
		return canary
	case map[string]any:
		for name := range v {
			v[name] = plant(v[name], place+"."+name, canary, keep)
		}
	case []any:
		for i := range v {
			v[i] = plant(v[i], place, canary, keep)
		}
	}
	return v
}

func parse(object []byte) (v map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("parse test object: %w", err)
	}
	return v, nil
}
