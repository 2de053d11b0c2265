package slo

import (
	"bytes"
	"strings"
	"testing"
)

const joinable = `apiVersion: plimsoll.dev/v1
kind: Service
metadata: {name: SERVICE}
spec: {owner: {team: OWNER}}
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: NAME}
spec:
  service: SERVICE
  objective: {target: "99%"}
  sli: {availability: {probe: up}}
`

// TestJoin: the set of two sets is what one directory with all their files would be, and can be read back.
func TestJoin(t *testing.T) {
	text := func(name, service, owner string) string {
		return strings.NewReplacer("NAME", name, "SERVICE", service, "OWNER", owner).Replace(joinable)
	}
	b, a := text("b", "web", "one"), text("a", "db", "two")
	got, err := Join(compileText(t, b), compileText(t, a))
	if err != nil {
		t.Fatal(err)
	}
	if want := compileText(t, b+"---\n"+a); got.Digest != want.Digest {
		t.Errorf("got digest %s, want %s of one file with both", got.Digest, want.Digest)
	}
	var file bytes.Buffer
	if _, err := got.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(&file); err != nil {
		t.Error(err)
	}
	got, err = Join(compileText(t, b), compileText(t, text("c", "web", "three")))
	if err != nil || len(got.Services) != 1 || got.Services[0].Owner.Team != "one" {
		t.Errorf("a service of both: got %+v, %v, want that of the first", got, err)
	}
	if _, err := Join(compileText(t, b), compileText(t, text("b", "db", "two"))); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("an SLO of both: got error %v", err)
	}
}
