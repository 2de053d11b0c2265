package yamlsrc

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

var (
	depthMsg = fmt.Sprintf("more than %d levels of nesting", MaxDepth)
	aliasMsg = fmt.Sprintf("more than %d values after aliases are expanded", MaxNodes)
)

func sizeMsg(n int) string {
	return fmt.Sprintf("the file has %.1f MiB; the limit is %d MiB", float64(n)/(1<<20), MaxBytes>>20)
}

// scan reports the first character that no spec may contain.
func scan(s *source) (diag.Diag, bool) {
	b := s.text
	for i := 0; i < len(b); {
		c := b[i]
		if c >= 0x20 && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if code, msg, hint := forbidden(b, i, r, size); code != "" {
			return diag.Diag{Sev: diag.Error, Code: code, Pos: s.pos(i), Len: 1, Msg: msg, Hint: hint}, true
		}
		i += size
	}
	return diag.Diag{}, false
}

func forbidden(b []byte, i int, r rune, size int) (code diag.Code, msg, hint string) {
	switch {
	case r == utf8.RuneError && size <= 1:
		if i == 0 && (bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))) {
			return diag.YAMLEncoding, "the file is UTF-16", "save it as UTF-8"
		}
		return diag.YAMLEncoding, fmt.Sprintf("byte 0x%02x is not UTF-8", b[i]), "save the file as UTF-8"
	case r == '\r' && i+1 < len(b) && b[i+1] == '\n':
		return "", "", ""
	case r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
		return diag.YAMLLineBreak, fmt.Sprintf("line break U+%04X, which editors count in different ways", r), "use LF or CRLF line ends"
	case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff:
		return diag.YAMLEncoding, fmt.Sprintf("control character U+%04X", r), `remove it, or write it as an escape in a "quoted string"`
	}
	return "", "", ""
}

// countFlow counts the characters that make values in flow style.
func countFlow(b []byte) int {
	n := 0
	for _, c := range b {
		switch c {
		case ',', '[', '{':
			n++
		}
	}
	return n
}

var lineNumber = regexp.MustCompile(`^line (\d+): `)

// syntax turns an error of the YAML library, which knows a line at best, into
// a finding. The library counts some lines from 0, so the place is the first
// tab used as indentation, if there is one, else the line that it names.
func (s *source) syntax(c chunk, err error) diag.List {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := lineNumber.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	if at := s.tabIndent(c); at >= 0 {
		return diag.List{{Sev: diag.Error, Code: diag.YAMLTab, Pos: s.pos(at), Len: 1, Msg: "tab used as indentation", Hint: "indent with spaces"}}
	}
	known := explain(msg)
	if strings.HasPrefix(msg, "unknown anchor") {
		name := strings.Trim(strings.TrimSuffix(strings.TrimPrefix(msg, "unknown anchor "), " referenced"), "'")
		if i := bytes.Index(s.text[c.from:c.to], []byte("*"+name)); i >= 0 {
			return diag.List{{Sev: diag.Error, Code: diag.YAMLAlias, Pos: s.pos(c.from + i), Len: len(name) + 1, Msg: fmt.Sprintf("alias *%s has no anchor &%s before it", name, name)}}
		}
	}
	lines := bytes.Count(s.text[c.from:c.to], []byte("\n")) + 1
	line = c.line + max(1, min(line, lines))
	text := s.line(line)
	indent := len(text) - len(bytes.TrimLeft(text, " "))
	return diag.List{{
		Sev: diag.Error, Code: diag.YAMLSyntax, Pos: diag.Pos{File: s.file, Line: line, Col: indent + 1},
		Len: max(1, utf8.RuneCount(bytes.TrimSpace(text))), Msg: msg, Hint: known,
	}}
}

// explain says what usually causes a message of the YAML library.
func explain(msg string) string {
	for _, e := range [][2]string{
		{"mapping values are not allowed", `put quotes around a value that contains ": "`},
		{"did not find expected key", "look for wrong indentation or an unclosed quote here or just above"},
		{"did not find expected '-' indicator", "start each list item with \"- \" in the same column"},
		{"did not find expected ',' or ']'", "close the [ bracket, or separate the items with commas"},
		{"did not find expected ',' or '}'", "close the { brace, or separate the fields with commas"},
		{"found unexpected end of stream", "close the quote that starts here or above"},
		{"could not find expected ':'", `write "key: value"`},
		{"found character that cannot start any token", "put quotes around a value that starts with @, ` or %"},
		{"block sequence entries are not allowed", "put the list on a line of its own"},
		{"did not find expected node content", "put quotes around a value that starts with a special character"},
		{"found unknown escape character", "use single quotes, or double the backslash"},
	} {
		if strings.Contains(msg, e[0]) {
			return e[1]
		}
	}
	return ""
}

// tabIndent returns the offset of the first tab in the indentation of a line
// of c, or -1.
func (s *source) tabIndent(c chunk) int {
	for at := c.from; at < c.to; {
		i := at
		for i < c.to && s.text[i] == ' ' {
			i++
		}
		end := bytes.IndexByte(s.text[at:c.to], '\n')
		if end < 0 {
			end = c.to - at - 1
		}
		if i < c.to && s.text[i] == '\t' && len(bytes.TrimSpace(s.text[at:at+end+1])) > 0 {
			return i
		}
		at += end + 1
	}
	return -1
}
