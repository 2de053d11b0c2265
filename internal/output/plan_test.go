package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tb is what the helpers need of a *testing.T, *testing.B or *rapid.T.
type tb interface {
	Helper()
	Fatal(args ...any)
}

// yaml returns generated YAML that carries the header.
func yaml(body string) string { return Header + "\n" + body + "\n" }

// files turns text into the form of NewPlan.
func files(text map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for name, s := range text {
		out[name] = []byte(s)
	}
	return out
}

func plan(t tb, dir string, text map[string]string) *Plan {
	t.Helper()
	p, err := NewPlan(dir, files(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t tb, dir string, text map[string]string) {
	t.Helper()
	if err := plan(t, dir, text).Apply(); err != nil {
		t.Fatal(err)
	}
}

// put writes a file as a user would.
func put(t tb, dir, name, text string) {
	t.Helper()
	full := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// contents returns every file below dir but the manifest.
func contents(t tb, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ManifestName {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// actions returns the plan in short: action or conflict by path.
func actions(p *Plan) map[string]string {
	out := map[string]string{}
	for _, c := range p.Changes {
		out[c.Path] = string(c.Action)
	}
	for _, c := range p.Conflicts {
		out[c.Path] = "conflict: " + c.Reason
	}
	return out
}

func TestPlanOfEveryKind(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, map[string]string{
		"same.yaml": yaml("a"), "new.yaml": yaml("old"), "gone.yaml": yaml("x"),
		"d/same.json": "{}", "d/new.json": "{1}", "d/gone.json": "{2}", "d/edited.json": "{3}", "d/kept.json": "{4}",
	})
	put(t, dir, "d/edited.json", "{by hand}")
	put(t, dir, "d/kept.json", "{by hand}")
	put(t, dir, "mine.json", "user")
	put(t, dir, "bystander.yaml", "user\n"+Header+"\n") // the header is not on the first line
	put(t, dir, "d/"+tempPrefix+"X", "half")

	want := map[string]string{
		"same.yaml": yaml("a"), "new.yaml": yaml("new"), "edited.yaml": yaml("e"), "d/fresh.json": "{}",
		"d/same.json": "{}", "d/new.json": "{9}", "d/edited.json": "{9}", "mine.json": "{}",
	}
	got := actions(plan(t, dir, want))
	wantActions := map[string]string{
		"same.yaml": "unchanged", "new.yaml": "update", "gone.yaml": "remove", "edited.yaml": "create",
		"d/same.json": "unchanged", "d/new.json": "update", "d/gone.json": "remove", "d/fresh.json": "create",
		"d/edited.json": "conflict: was edited since plimsoll wrote it", "d/kept.json": "keep",
		"mine.json": "conflict: exists and was not written by plimsoll", "d/" + tempPrefix + "X": "remove",
	}
	if d := cmp.Diff(wantActions, got); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	before := contents(t, dir)
	var conflicts *ConflictError
	if err := plan(t, dir, want).Apply(); !errors.As(err, &conflicts) || len(conflicts.Conflicts) != 2 {
		t.Errorf("apply with conflicts: got error %v, want both conflicts", err)
	} else if !strings.Contains(err.Error(), "mine.json: exists") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("conflict error %q does not name the file and the way out", err)
	}
	if d := cmp.Diff(before, contents(t, dir)); d != "" {
		t.Errorf("a refused apply changed files:\n%s", d)
	}

	p, err := NewPlan(dir, files(want), Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(); err != nil {
		t.Fatal(err)
	}
	want["bystander.yaml"] = "user\n" + Header + "\n"
	if d := cmp.Diff(want, contents(t, dir)); d != "" {
		t.Errorf("forced apply (-want +got):\n%s", d)
	}
}

func TestHeaderAloneProves(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, map[string]string{"r/a.yaml": yaml("a"), "r/b.yaml": yaml("b"), "r/c.json": "{}"})
	if err := os.Remove(filepath.Join(dir, ManifestName)); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "other/x.yaml", yaml("not in a directory of the plan"))
	put(t, dir, "r/sub/x.yaml", yaml("below a directory of the plan"))
	got := actions(plan(t, dir, map[string]string{"r/a.yaml": yaml("A"), "r/c.json": "{1}"}))
	want := map[string]string{
		"r/a.yaml": "update", "r/b.yaml": "remove",
		"r/c.json": "conflict: exists and was not written by plimsoll",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("plan without manifest (-want +got):\n%s", d)
	}
}

func TestAnotherOutputDirectoryInsideIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	apply(t, filepath.Join(dir, "team"), map[string]string{"a.yaml": yaml("a")})
	put(t, dir, "team/mine.yaml", "user")
	if got := actions(plan(t, dir, map[string]string{"team/b.yaml": yaml("b")})); len(got) != 1 {
		t.Errorf("plan of the outer directory is %v, want only team/b.yaml", got)
	}
}

func TestRefusedPaths(t *testing.T) {
	refused := func(why string, text map[string]string) {
		t.Helper()
		dir := t.TempDir()
		if _, err := NewPlan(dir, files(text), Options{Force: true}); err == nil {
			t.Errorf("%s: want an error for %v", why, text)
		}
		if got := contents(t, filepath.Dir(dir)); len(got) != 0 {
			t.Errorf("%s: files appeared: %v", why, got)
		}
	}
	for _, name := range []string{"", ".", "..", "../a", "a/../../b", "a/../b", "./a", "a//b", "a/", "/etc/a", `a\b`, "a\nb", "a\x00b"} {
		refused("unclean", map[string]string{name: ""})
	}
	refused("reserved", map[string]string{ManifestName: ""})
	refused("reserved", map[string]string{"a/" + tempPrefix + "1": ""})
	refused("case", map[string]string{"a/B": "", "A/b": ""})
	refused("file and directory", map[string]string{"a": "", "a/b": ""})
	refused("no header", map[string]string{"a.yaml": "groups: []\n"})
	refused("header is not whole", map[string]string{"a.yml": Header + " not\n"})
}

func TestObstacles(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "a.yaml", yaml("outside"))
	dir := t.TempDir()
	for link, target := range map[string]string{
		"link.yaml": filepath.Join(outside, "a.yaml"), "out": outside, "in": "real", "dangling.yaml": "nothing",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir, "real/f", "user")
	put(t, dir, "file", "user")
	put(t, dir, "dir.yaml/f", "user")
	text := map[string]string{}
	for _, name := range []string{"link.yaml", "out/a.yaml", "in/b.yaml", "dangling.yaml", "file/c.yaml", "dir.yaml"} {
		text[name] = yaml("x")
	}
	p, err := NewPlan(dir, files(text), Options{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"link.yaml":     `conflict: "link.yaml" is a symbolic link`,
		"out/a.yaml":    `conflict: "out" is a symbolic link`,
		"in/b.yaml":     `conflict: "in" is a symbolic link`,
		"dangling.yaml": `conflict: "dangling.yaml" is a symbolic link`,
		"file/c.yaml":   `conflict: "file" is a file, not a directory`,
		"dir.yaml":      `conflict: "dir.yaml" is a directory`,
	}
	if d := cmp.Diff(want, actions(p)); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	if got := contents(t, outside)["a.yaml"]; got != yaml("outside") {
		t.Errorf("file behind the link is now %q", got)
	}
}

func TestManifestCannotReachOutside(t *testing.T) {
	parent := t.TempDir()
	put(t, parent, "victim.json", "{}")
	put(t, parent, "out/user.json", "{}")
	text := Header + "\n"
	for _, name := range []string{"../victim.json", filepath.Join(parent, "victim.json"), "./../victim.json"} {
		text += sum([]byte("{}")) + "  " + name + "\n"
	}
	put(t, parent, "out/"+ManifestName, text+"<<<<<<< ours\nabc  user.json\n")
	dir := filepath.Join(parent, "out")
	if p := plan(t, dir, nil); p.Changed() {
		t.Errorf("plan is %v, want no change", actions(p))
	}
	apply(t, dir, nil)
	want := map[string]string{"victim.json": "{}", "out/user.json": "{}"}
	if d := cmp.Diff(want, contents(t, parent)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

func TestManifestIsReadBySHA256Sum(t *testing.T) {
	tool, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("the promise is about a tool that this system lacks") // reason: nothing to compare with
	}
	dir := t.TempDir()
	apply(t, dir, map[string]string{"a.yaml": yaml("a"), "d/b c.json": "{}"})
	cmd := exec.Command(tool, "--check", "--strict", ManifestName)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), ": OK") != 2 {
		t.Errorf("sha256sum --check: %v\n%s", err, out)
	}
}

func TestDiffIsAPatch(t *testing.T) {
	tool, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("the promise is about a tool that this system lacks") // reason: nothing to compare with
	}
	was := map[string]string{"a.yaml": yaml("a\nb\nc"), "gone.json": "{}\n", "same.json": "1", "cut.json": "x\ny"}
	will := map[string]string{"a.yaml": yaml("a\nB\nc\nd"), "d/new.json": "{}\n", "same.json": "1", "cut.json": "x\ny\n"}
	patched, applied := t.TempDir(), t.TempDir()
	apply(t, applied, was)
	p := plan(t, applied, will)
	var text bytes.Buffer
	if err := p.WriteDiff(&text); err != nil {
		t.Fatal(err)
	}
	for name, s := range was {
		put(t, patched, name, s)
	}
	cmd := exec.Command(tool, "-p0", "--force")
	cmd.Dir, cmd.Stdin = patched, bytes.NewReader(text.Bytes())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("patch: %v\n%s\n%s", err, out, text.Bytes())
	}
	if err := p.Apply(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(contents(t, applied), contents(t, patched)); d != "" {
		t.Errorf("applied and patched differ (-applied +patched):\n%s", d)
	}
}

func TestShow(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, map[string]string{"a.yaml": yaml("a: 1"), "b.json": "{}\n"})
	put(t, dir, "b.json", "<edited>")
	put(t, dir, "c.json", "user")
	p := plan(t, dir, map[string]string{"a.yaml": yaml("a: 2"), "c.json": "{}"})
	if got, want := p.Summary(), "0 to create, 1 to update, 0 to remove, 0 unchanged, 1 kept, 1 in conflict"; got != want {
		t.Errorf("summary\n got %s\nwant %s", got, want)
	}
	var text bytes.Buffer
	if err := p.WriteDiff(&text); err != nil {
		t.Fatal(err)
	}
	wantDiff := "diff a.yaml a.yaml\n--- a.yaml\n+++ a.yaml\n@@ -1,2 +1,2 @@\n " + Header + "\n-a: 1\n+a: 2\n"
	if text.String() != wantDiff {
		t.Errorf("diff\n got %q\nwant %q", text.String(), wantDiff)
	}

	var got map[string]any
	text.Reset()
	if err := p.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	file := func(s string) map[string]any {
		return map[string]any{"bytes": float64(len(s)), "sha256": sum([]byte(s))}
	}
	want := map[string]any{
		"schema": "plimsoll.plan/v1", "dir": dir, "changed": true,
		"changes": []any{
			map[string]any{
				"path": "a.yaml", "action": "update", "diff": wantDiff,
				"before": file(yaml("a: 1")), "after": file(yaml("a: 2")),
			},
			map[string]any{
				"path": "b.json", "action": "keep", "reason": "no longer generated, but edited since plimsoll wrote it",
				"before": file("<edited>"), "after": file("<edited>"),
			},
		},
		"conflicts": []any{map[string]any{
			"path": "c.json", "reason": "exists and was not written by plimsoll", "hint": "--force overwrites it",
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
}

func TestJSONOfNothing(t *testing.T) {
	var text bytes.Buffer
	if err := plan(t, "no/such/dir", nil).WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	want := `{
  "schema": "plimsoll.plan/v1",
  "dir": "no/such/dir",
  "changed": false,
  "changes": [],
  "conflicts": []
}
`
	if got := text.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestEditable has files that need no header, are brought up to date as long as nobody changed them, and are then his.
func TestEditable(t *testing.T) {
	dir := t.TempDir()
	o := Options{Editable: true}
	next := func(text string) *Plan {
		t.Helper()
		p, err := NewPlan(dir, map[string][]byte{"a.yaml": []byte(text)}, o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, text := range []string{"a: 1\n", "a: 2\n"} {
		if err := next(text).Apply(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("a: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := next("a: 3\n")
	want := []Conflict{{Path: "a.yaml", Reason: "was edited since plimsoll wrote it", Hint: "--force overwrites it"}}
	if d := cmp.Diff(want, p.Conflicts); d != "" {
		t.Errorf("conflicts (-want +got):\n%s", d)
	}
	if err := p.Apply(); err == nil {
		t.Error("a file that was edited is overwritten")
	}
}
