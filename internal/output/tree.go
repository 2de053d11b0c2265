package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// tree reads below one directory. A nil root is a directory that does not exist yet.
type tree struct{ root *os.Root }

// found is what is at a path: nothing, a regular file, or an obstacle that no option overrules.
type found struct {
	exists   bool
	data     []byte
	mode     fs.FileMode
	obstacle string
}

// read returns what is at name. It looks at every path element first, so that no symlink is followed.
func (t tree) read(name string) (found, error) {
	if t.root == nil {
		return found{}, nil
	}
	elems := strings.Split(name, "/")
	for i := range elems {
		at := strings.Join(elems[:i+1], "/")
		info, err := t.root.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return found{}, nil
		}
		if err != nil {
			return found{}, err
		}
		isLast := i == len(elems)-1
		if o := obstacle(info.Mode(), isLast); o != "" {
			return found{obstacle: fmt.Sprintf("%q is %s", at, o)}, nil
		}
		if isLast {
			data, err := t.root.ReadFile(at)
			return found{exists: true, data: data, mode: info.Mode().Perm()}, err
		}
	}
	return found{}, nil
}

// obstacle names what is wrong with the kind of a path element; empty means nothing is.
func obstacle(mode fs.FileMode, isLast bool) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir() && isLast:
		return "a directory"
	case !mode.IsDir() && !isLast:
		return "a file, not a directory"
	case isLast && !mode.IsRegular():
		return "not a regular file"
	}
	return ""
}

// candidates returns, sorted, the paths that are not in files and may hold a stale file of ours:
// the manifest's, and those with our header or our temporary name beside planned or manifested files.
func (t tree) candidates(files map[string][]byte, was manifest) ([]string, error) {
	out := map[string]bool{}
	dirs := map[string]bool{".": true}
	for name := range files {
		dirs[path.Dir(name)] = true
	}
	for name := range was {
		dirs[path.Dir(name)] = true
		out[name] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		names, err := t.marked(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			out[name] = true
		}
	}
	maps.DeleteFunc(out, func(name string, _ bool) bool { _, planned := files[name]; return planned })
	return slices.Sorted(maps.Keys(out)), nil
}

// marked returns the regular files directly in dir that carry our header or our temporary name.
func (t tree) marked(dir string) ([]string, error) {
	if t.root == nil {
		return nil, nil
	}
	if dir != "." {
		at, err := t.read(path.Join(dir, ManifestName))
		if err != nil || at.exists || at.obstacle != "" {
			return nil, err // another output directory, or not reachable without following a link
		}
	}
	entries, err := fs.ReadDir(t.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !e.Type().IsRegular() || name == ManifestName {
			continue
		}
		ours := strings.HasPrefix(e.Name(), tempPrefix)
		if !ours {
			if ours, err = t.headed(name); err != nil {
				return nil, err
			}
		}
		if ours {
			out = append(out, name)
		}
	}
	return out, nil
}

// headed reads only the start of a file: neighbours may be large. One that we may not read is not ours.
func (t tree) headed(name string) (bool, error) {
	f, err := t.root.Open(name)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	start, err := io.ReadAll(io.LimitReader(f, 128))
	return hasHeader(start), err
}
