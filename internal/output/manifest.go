package output

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// manifest maps a path to the SHA-256 sums, in hex, of contents that plimsoll wrote there. A finished
// apply leaves one sum a path; while files are being replaced a path has its old and its new sum, so
// that whatever a crash leaves behind is still proved ours.
type manifest map[string][]string

// parseManifest ignores lines that are not "<sum>  <path>": they prove nothing. So do paths that leave
// the directory.
func parseManifest(text []byte) manifest {
	m := manifest{}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "  ")
		raw, err := hex.DecodeString(sum)
		if ok && err == nil && len(raw) == sha256.Size && checkPath(name) == nil {
			m.add(name, strings.ToLower(sum))
		}
	}
	return m
}

func (m manifest) add(name string, sums ...string) {
	for _, sum := range sums {
		if !slices.Contains(m[name], sum) {
			m[name] = append(m[name], sum)
		}
	}
}

// proves reports whether plimsoll wrote exactly data to name.
func (m manifest) proves(name string, data []byte) bool { return slices.Contains(m[name], sum(data)) }

// text is the file form: the header, then one line a sum, sorted by path and then by sum.
func (m manifest) text() []byte {
	var b bytes.Buffer
	b.WriteString(Header + "\n")
	for _, name := range slices.Sorted(maps.Keys(m)) {
		for _, s := range slices.Sorted(slices.Values(m[name])) {
			fmt.Fprintf(&b, "%s  %s\n", s, name)
		}
	}
	return b.Bytes()
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// after returns the manifest that is true once the plan is applied.
func (p *Plan) after() manifest {
	m := manifest{}
	for _, c := range p.Changes {
		switch c.Action {
		case Create, Update, Unchanged:
			m.add(c.Path, sum(c.New))
		case Keep:
			m.add(c.Path, p.was[c.Path]...)
		case Remove:
		}
	}
	return m
}

// during returns the manifest that is true at every moment while the plan is applied.
func (p *Plan) during() manifest {
	m := p.after()
	for name, sums := range p.was {
		m.add(name, sums...)
	}
	return m
}
