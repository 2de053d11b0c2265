package slo

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// ReadFiles reads the files and directories named by paths. Of a directory it
// takes every *.yaml and *.yml below it, hidden ones left out. A symbolic link
// that leads out of its directory is an error, as is a file that is too large
// to be a spec. Files are named as paths names them, with forward slashes.
func ReadFiles(paths ...string) ([]File, Findings) {
	var out []File
	var l Findings
	seen := map[string]bool{}
	for _, path := range paths {
		files, fl := readPath(path)
		l = append(l, fl...)
		for _, f := range files {
			if !seen[f.Name] {
				seen[f.Name] = true
				out = append(out, f)
			}
		}
	}
	if len(out) == 0 && !l.Failed() {
		l.Add(fileError(cmp.Or(strings.Join(paths, ", "), "."), diag.NoSpecs, "there is no .yaml or .yml file", "run plimsoll init to write a first spec"))
	}
	return out, l
}

func fileError(name string, code diag.Code, msg, hint string) diag.Diag {
	return diag.Diag{Sev: diag.Error, Code: code, Pos: diag.Pos{File: filepath.ToSlash(name)}, Msg: msg, Hint: hint}
}

func readPath(path string) ([]File, Findings) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, Findings{fileError(path, diag.FileRead, reason(err), "")}
	}
	if !info.IsDir() {
		return readOne(path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, Findings{fileError(path, diag.FileRead, reason(err), "")}
	}
	defer root.Close()
	var out []File
	var l Findings
	walkErr := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		full := filepath.ToSlash(filepath.Join(path, name))
		switch {
		case err != nil:
			l.Add(fileError(full, diag.FileRead, reason(err), ""))
			return nil
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !isSpec(name):
			return nil
		}
		if fi, err := root.Stat(name); err == nil && fi.IsDir() {
			return nil // a link to a directory of the root is walked at its own place
		}
		b, err := readRoot(root, name)
		if err != nil {
			l.Add(rootError(full, d, err))
			return nil
		}
		out = append(out, File{full, b})
		return nil
	})
	if walkErr != nil {
		l.Add(fileError(path, diag.FileRead, reason(walkErr), ""))
	}
	return out, l
}

func rootError(full string, d fs.DirEntry, err error) diag.Diag {
	if d.Type()&fs.ModeSymlink != 0 && strings.Contains(err.Error(), "escapes") { // package os has no value for it
		return fileError(full, diag.FileOutside, "the link leads out of the spec directory", "copy the file in")
	}
	return fileError(full, diag.FileRead, reason(err), "")
}

func isSpec(name string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(filepath.Ext(name)))
}

func readOne(path string) ([]File, Findings) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, Findings{fileError(path, diag.FileRead, reason(err), "")}
	}
	defer root.Close()
	b, err := readRoot(root, filepath.Base(path))
	if err != nil {
		return nil, Findings{fileError(path, diag.FileRead, reason(err), "")}
	}
	return []File{{filepath.ToSlash(path), b}}, nil
}

// readRoot reads a file, at most one byte more than a spec may have, so that
// the parser reports the size.
func readRoot(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name) // first: to open a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, yamlsrc.MaxBytes+1))
}

// reason returns the cause of a file error without the path, which the place
// already says.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return "cannot read: " + p.Err.Error()
	}
	return "cannot read: " + err.Error()
}
