// Package packs holds ready-made SLOs for a platform: specs, alert profiles and runbooks, as files to copy and change.
package packs

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
)

//go:embed */*.yaml */*.md
var content embed.FS

// Pack is a directory of specs that compiles by itself, and beside any other packs: whatever it declares begins with
// its name.
type Pack struct {
	// Name is that of its directory.
	Name string
	// Title says in a few words what it promises.
	Title string
	// Covers are the golden signals (M1 to M12) and failure modes (F1 to F7) that it is about.
	Covers []string
	// Needs says which telemetry it reads and what has to be switched on for it.
	Needs string
}

// Find returns the pack of a name.
func Find(name string) (Pack, bool) {
	all := All()
	i := slices.IndexFunc(all, func(p Pack) bool { return p.Name == name })
	if i < 0 {
		return Pack{}, false
	}
	return all[i], true
}

// Files returns the files of the pack by their names in its directory. The caller owns them.
func (p Pack) Files() (map[string][]byte, error) {
	entries, err := content.ReadDir(p.Name)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, e := range entries {
		b, err := fs.ReadFile(content, path.Join(p.Name, e.Name()))
		if err != nil {
			return nil, err
		}
		out[e.Name()] = b
	}
	return out, nil
}

// FilesAt returns the files as Files does, with the runbook of its specs named by where it is: base is the URL or the path
// of the directory that the pack's own directory is in.
func (p Pack) FilesAt(base string) (map[string][]byte, error) {
	files, err := p.Files()
	here := path.Join(p.Name, "runbook.md")
	there := here
	if base != "" && base != "." {
		there = strings.TrimSuffix(base, "/") + "/" + here
	}
	if strings.ContainsFunc(there, func(r rune) bool { return !plain(r) }) {
		there = "'" + strings.ReplaceAll(there, "'", "''") + "'"
	}
	for name, text := range files {
		if IsSpec(name) {
			files[name] = bytes.ReplaceAll(text, []byte("\n  runbook: "+here+"\n"), []byte("\n  runbook: "+there+"\n"))
		}
	}
	return files, err
}

// plain tells whether a character of a path or URL needs no quotes in YAML, wherever it is.
func plain(r rune) bool {
	return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-:", r))
}

// IsSpec tells whether a file of a pack is one of specs.
func IsSpec(name string) bool { return strings.HasSuffix(name, ".yaml") }
