package slo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// tree writes files below a new directory and makes it the present one.
func tree(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wantRead checks which files ReadFiles returns and, one line each, what it
// finds.
func wantRead(t *testing.T, paths, names, findings []string) {
	t.Helper()
	files, l := ReadFiles(paths...)
	var got []string
	for _, f := range files {
		got = append(got, f.Name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("ReadFiles(%q): got files %q, want %q", paths, got, names)
	}
	var found []string
	for _, d := range l {
		found = append(found, d.String())
	}
	if !slices.Equal(found, findings) {
		t.Errorf("ReadFiles(%q): got findings %q, want %q", paths, found, findings)
	}
}

func TestReadFiles(t *testing.T) {
	tree(t, map[string]string{
		"specs/b.yaml": "b", "specs/a.yml": "a", "specs/UPPER.YAML": "u", "specs/deep/er/c.yaml": "c", "specs/readme.md": "x",
		"specs/.hidden.yaml": "x", "specs/.git/x.yaml": "x", "other/o.yaml": "o", "empty/readme.md": "x",
	})
	all := []string{"specs/UPPER.YAML", "specs/a.yml", "specs/b.yaml", "specs/deep/er/c.yaml"}
	wantRead(t, []string{"specs"}, all, nil)
	wantRead(t, []string{"specs/", "./specs"}, all, nil)
	wantRead(t, []string{"specs/readme.md"}, []string{"specs/readme.md"}, nil) // named, so taken
	wantRead(t, []string{"specs/.hidden.yaml", "other"}, []string{"specs/.hidden.yaml", "other/o.yaml"}, nil)
	wantRead(t, []string{"empty"}, nil, []string{"empty: error: there is no .yaml or .yml file [no-specs]"})
	wantRead(t, nil, nil, []string{".: error: there is no .yaml or .yml file [no-specs]"})
	wantRead(t, []string{"nowhere", "other"}, []string{"other/o.yaml"}, []string{"nowhere: error: cannot read: no such file or directory [file-read]"})
}

func TestReadFilesLinks(t *testing.T) {
	tree(t, map[string]string{"specs/a.yaml": "a", "secret.yaml": "s"})
	for link, target := range map[string]string{
		"specs/out.yaml": "../secret.yaml", "specs/in.yaml": "a.yaml", "specs/gone.yaml": "missing.yaml", "specs/loop.yaml": "loop.yaml",
		"specs/dir.yaml": ".", "entry.yaml": "specs/a.yaml",
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	abs, err := filepath.Abs("secret.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(abs, "specs/absolute.yaml"); err != nil {
		t.Fatal(err)
	}
	wantRead(t, []string{"specs"}, []string{"specs/a.yaml", "specs/in.yaml"}, []string{
		"specs/absolute.yaml: error: the link leads out of the spec directory [file-outside]",
		"specs/gone.yaml: error: cannot read: no such file or directory [file-read]",
		"specs/loop.yaml: error: cannot read: too many levels of symbolic links [file-read]",
		"specs/out.yaml: error: the link leads out of the spec directory [file-outside]",
	})
	wantRead(t, []string{"specs/a.yaml", "entry.yaml"}, []string{"specs/a.yaml", "entry.yaml"}, nil)
}

func TestReadFilesOdd(t *testing.T) {
	tree(t, map[string]string{"specs/a.yaml/inner.yaml": "i", "locked.yaml": "x", "big.yaml": strings.Repeat("#", yamlsrc.MaxBytes+100)})
	wantRead(t, []string{"specs"}, []string{"specs/a.yaml/inner.yaml"}, nil) // a directory named like a file
	if err := os.Chmod("locked.yaml", 0); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 { // root may read everything
		wantRead(t, []string{"locked.yaml"}, nil, []string{"locked.yaml: error: cannot read: permission denied [file-read]"})
	}
	files, l := ReadFiles("big.yaml")
	if len(files) != 1 || len(files[0].Text) != yamlsrc.MaxBytes+1 || l != nil {
		t.Fatalf("got %d files and %v, want one cut file", len(files), l)
	}
	if _, l := Compile(files); len(l) != 1 || l[0].Code != diag.YAMLTooLarge {
		t.Errorf("got %v, want %s", l, diag.YAMLTooLarge)
	}
	if err := syscall.Mkfifo("pipe.yaml", 0o600); err != nil {
		t.Fatal(err)
	}
	wantRead(t, []string{"pipe.yaml"}, nil, []string{"pipe.yaml: error: cannot read: it is not a regular file [file-read]"})
	wantRead(t, []string{"/dev/null"}, nil, []string{"/dev/null: error: cannot read: it is not a regular file [file-read]"})
}
