package arch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// machinePath matches an absolute path that exists on one machine only. A slash after a letter, a dot, a
// brace or a dollar's name is part of a URL or of a variable's path.
var machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.})/\-])/(work|root|tmp)/`)

// committed returns, with slashes, the files of the repository that git tracks or would track. Without
// git (an unpacked archive) it fails.
func committed(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files in %s: %w", root, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// isSource reports whether a committed file is written by us and not data of a test.
func isSource(path string) bool {
	return !strings.Contains("/"+path, "/testdata/") && !strings.HasSuffix(path, "_test.go") && filepath.Base(path) != "go.sum"
}

// textFindings checks one file of any language. Binary files have none.
func textFindings(path string, data []byte) []finding {
	if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return nil
	}
	var out []finding
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if machinePath.MatchString(line) {
			out = append(out, finding{"machine-path", path, n, "names a path of one machine: make it relative, or a parameter"})
		}
	}
	return out
}

// hygieneFindings checks every committed source.
func hygieneFindings(root string) ([]finding, error) {
	paths, err := committed(root)
	if err != nil {
		return nil, err
	}
	var out []finding
	for _, path := range paths {
		full := filepath.Join(root, filepath.FromSlash(path))
		info, err := os.Lstat(full)
		if err != nil || !info.Mode().IsRegular() || !isSource(path) {
			continue // deleted in the work tree, or a link
		}
		data, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		out = append(out, textFindings(path, data)...)
	}
	return out, nil
}
