package slo

import (
	"bytes"
	"testing"
)

const minimal = `apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: checkout-availability}
spec:
  service: checkout
  owner: {team: payments}
  objective: {target: "99.9%", window: {rolling: 30d}}
  sli:
    events:
      bad: http_requests_total{job="checkout",code=~"5.."}
      total: http_requests_total{job="checkout"}
`

func compileText(t *testing.T, text string) *Set {
	t.Helper()
	set, l := Compile([]File{{"f.yaml", []byte(text)}})
	if len(l) > 0 {
		t.Fatalf("findings: %v", l)
	}
	return set
}

func TestCompileMinimal(t *testing.T) {
	set := compileText(t, minimal)
	x, ok := set.SLO("checkout-availability")
	if !ok {
		t.Fatal("no SLO")
	}
	if x.Objective != "0.999" || x.Budget != "0.001" || x.Window.String() != "30d rolling" || x.Owner.Team != "payments" {
		t.Errorf("got objective %s, budget %s, window %s, owner %v", x.Objective, x.Budget, x.Window, x.Owner)
	}
	if got := x.PlaceOf("spec.objective.target").String(); got != "f.yaml:7:23" {
		t.Errorf("target is at %s", got)
	}
	if len(set.Profiles) != 1 || len(set.Profiles[0].Tiers) != 5 {
		t.Errorf("got %d profiles", len(set.Profiles))
	}
}

func TestSetJSON(t *testing.T) {
	set := compileText(t, minimal)
	var b, again bytes.Buffer
	if _, err := set.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	back, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := back.WriteTo(&again); err != nil || again.String() != text {
		t.Errorf("write, read, write differs (%v)", err)
	}
	if _, err := Read(bytes.NewReader(bytes.Replace([]byte(text), []byte(`"0.999"`), []byte(`"0.99"`), 1))); err == nil {
		t.Error("a changed set was read without an error")
	}
}
