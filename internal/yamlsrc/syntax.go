package yamlsrc

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// maxSearched is the size of a document up to which the place of a syntax
// error is searched for by parsing parts of it.
const maxSearched = 64 << 10

// syntax turns an error of the YAML library, which knows a line at best, into
// a finding at the culprit. What it says is checked: a quote or bracket is
// named only if closing it moves the error or makes it go away.
func (s *source) syntax(c chunk, err error) diag.List {
	msg, line := splitError(err)
	if at := s.tabIndent(c); at >= 0 {
		return s.syntaxError(diag.YAMLTab, at, 1, "tab used as indentation", "indent with spaces")
	}
	if name, ok := strings.CutPrefix(msg, "unknown anchor "); ok {
		name = strings.Trim(strings.TrimSuffix(name, " referenced"), "'")
		if i := s.aliasOf(c, name); i >= 0 {
			return s.syntaxError(diag.YAMLAlias, i, len(name)+1, "alias *"+name+" has no anchor &"+name+" before it", "")
		}
	}
	if c.to-c.from <= maxSearched {
		line = s.failingLine(c, msg)
		if l := s.unclosed(c, line); l != nil {
			return l
		}
		if l := s.culprit(c, line, msg); l != nil {
			return l
		}
	}
	from, n := s.content(c.line + max(1, line))
	return s.syntaxError(diag.YAMLSyntax, from, n, msg, explain(msg))
}

func (s *source) syntaxError(code diag.Code, at, n int, msg, hint string) diag.List {
	return diag.List{{Sev: diag.Error, Code: code, Pos: s.pos(at), Len: max(n, 1), Msg: msg, Hint: hint}}
}

var lineNumber = regexp.MustCompile(`^line (\d+): `)

// splitError returns the message and the line, counted from 1 in the document,
// of an error of the YAML library, which counts the lines of some from 0.
func splitError(err error) (msg string, line int) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := lineNumber.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	if strings.HasPrefix(msg, "did not find expected") {
		line++
	}
	return msg, line
}

// aliasOf returns the offset of the first use of alias name in c, or -1.
func (s *source) aliasOf(c chunk, name string) int {
	re := regexp.MustCompile(`\*` + regexp.QuoteMeta(name) + `(?:[\s,\]}]|$)`)
	if m := re.FindIndex(s.text[c.from:c.to]); m != nil {
		return c.from + m[0]
	}
	return -1
}

// fails returns the message with which the library refuses b, or "".
func fails(b []byte) string {
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		msg, _ := splitError(err)
		return msg
	}
	return ""
}

// failingLine returns the first line of c, counted from 1, at which the
// library gives up with msg. An error does not go away when text follows it, so
// that the line can be searched by halving.
func (s *source) failingLine(c chunk, msg string) int {
	text := s.text[c.from:c.to]
	ends := []int{}
	for i, b := range text {
		if b == '\n' || i == len(text)-1 {
			ends = append(ends, i+1)
		}
	}
	return 1 + min(sort.Search(len(ends), func(i int) bool { return fails(text[:ends[i]]) == msg }), len(ends)-1)
}

// content returns the offset and length in characters of the text of line n of
// the file, without indentation.
func (s *source) content(n int) (from, length int) {
	n = min(n, len(s.lines))
	line := s.line(n)
	text := bytes.TrimLeft(line, " ")
	return s.lines[n-1] + len(line) - len(text), utf8.RuneCount(bytes.TrimRight(text, " \t"))
}

// unclosed looks for a quote or bracket, up to line number line of c, that is
// not closed on its own line and whose closing at the end of that line moves
// the error to a later line or makes it go away.
func (s *source) unclosed(c chunk, line int) diag.List {
	before := fails(s.text[c.from:c.to])
	for n := c.line + min(line, len(s.lines)-c.line); n > c.line; n-- {
		text := s.line(n)
		at, closing := openAtEnd(text)
		if at < 0 {
			continue
		}
		start := s.lines[n-1]
		end := start + len(bytes.TrimRight(text, " \t"))
		closed := slices.Concat(s.text[c.from:end], []byte(closing), s.text[end:c.to])
		removed := slices.Concat(s.text[c.from:start+at], s.text[start+at+1:c.to])
		upTo := min(len(closed), s.lineEnd(c.line+line)-c.from+len(closing))
		if after := fails(closed); after == "" || after != before && fails(closed[:upTo]) == "" || fails(removed) == "" {
			kind := map[byte]string{'"': "quote", '\'': "quote", '[': "bracket", '{': "brace"}[text[at]]
			return s.syntaxError(diag.YAMLSyntax, start+at, 1, "this "+kind+" is not closed", "add "+closing+" at the end of the value")
		}
	}
	return nil
}

// lineEnd returns the offset behind line n of the file.
func (s *source) lineEnd(n int) int {
	if n < len(s.lines) {
		return s.lines[n]
	}
	return len(s.text)
}

// openAtEnd returns the place of the first value of a line whose quote or
// bracket is open at the end of the line, and what closes it; -1 if none.
func openAtEnd(line []byte) (at int, closing string) {
	var open []int
	for i := 0; i < len(line); i++ {
		switch b := line[i]; b {
		case '#':
			if i > 0 && line[i-1] == ' ' {
				i = len(line)
			}
		case '"', '\'':
			if !startsValue.Match(line[:i]) {
				continue
			}
			end := closingQuote(line, i)
			if end < 0 {
				return i, string(b)
			}
			i = end
		case '[', '{':
			if len(open) > 0 || startsValue.Match(line[:i]) {
				open = append(open, i)
			}
		case ']', '}':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		}
	}
	if len(open) == 0 {
		return -1, ""
	}
	for _, i := range slices.Backward(open) {
		closing += map[byte]string{'[': "]", '{': "}"}[line[i]]
	}
	return open[len(open)-1], closing
}

// startsValue matches what stands in front of a value.
var startsValue = regexp.MustCompile(`(^\s*|[:,-]\s+|[\[{]\s*)$`)

// closingQuote returns the place of the quote that closes the one at i, or -1.
func closingQuote(line []byte, i int) int {
	q := line[i]
	for j := i + 1; j < len(line); j++ {
		switch {
		case q == '"' && line[j] == '\\':
			j++
		case q == '\'' && line[j] == q && j+1 < len(line) && line[j+1] == q:
			j++
		case line[j] == q:
			return j
		}
	}
	return -1
}

// behindQuote returns the place of the text that follows a quoted value of a
// line, or -1.
func behindQuote(line []byte) int {
	for i := 0; i < len(line); i++ {
		if line[i] != '"' && line[i] != '\'' || !startsValue.Match(line[:i]) {
			continue
		}
		if i = closingQuote(line, i); i < 0 {
			return -1
		}
		rest := bytes.TrimLeft(line[i+1:], " \t")
		if len(rest) > 0 && !bytes.ContainsRune([]byte(",]}#:"), rune(rest[0])) {
			return len(line) - len(rest)
		}
	}
	return -1
}

// culprit returns a finding at the character that the message is about, for
// messages that tell which character that can be.
func (s *source) culprit(c chunk, line int, msg string) diag.List {
	n := c.line + line
	start, text := s.lines[n-1], s.line(n)
	failsAt := func(i int) bool { return fails(s.text[c.from:min(start+i, c.to)]) == msg }
	switch {
	case strings.Contains(msg, "mapping values are not allowed"):
		for i := range text {
			if text[i] != ':' || i+1 < len(text) && text[i+1] != ' ' || !failsAt(i+1) {
				continue
			}
			if !bytes.Contains(text[:i], []byte(": ")) {
				return s.keyExpected(n)
			}
			return s.syntaxError(diag.YAMLSyntax, start+i, 1, "a second colon in one line", explain(msg))
		}
	case strings.Contains(msg, "unknown escape"):
		for i := range text {
			if text[i] == '\\' && failsAt(i+2) {
				return s.syntaxError(diag.YAMLSyntax, start+i, 2, msg, explain(msg))
			}
		}
	case strings.Contains(msg, "cannot start any token"):
		for i := range text {
			if strings.IndexByte("@`%", text[i]) >= 0 && failsAt(i+1) {
				return s.syntaxError(diag.YAMLSyntax, start+i, 1, "a value cannot start with "+string(text[i]), explain(msg))
			}
		}
	case strings.Contains(msg, "expected node content"):
		for i := range text {
			if strings.IndexByte(",]}", text[i]) < 0 {
				continue
			}
			// The x keeps the end of the text from being what is missing.
			if fails(append(slices.Clone(s.text[c.from:start+i+1]), 'x')) == msg {
				return s.syntaxError(diag.YAMLSyntax, start+i, 1, "a value is missing before this sign", "write the value, or remove the sign")
			}
		}
	case strings.Contains(msg, "did not find expected key"):
		for i := range text {
			if strings.IndexByte("]}", text[i]) >= 0 && failsAt(i+1) {
				return s.syntaxError(diag.YAMLSyntax, start+i, 1, "nothing is open that this closes", "remove it, or open it")
			}
		}
		if i := behindQuote(text); i >= 0 {
			return s.syntaxError(diag.YAMLSyntax, start+i, utf8.RuneCount(text[i:]), "text behind the closing quote", `write \" for a quote inside "...", or put the whole in single quotes`)
		}
		from, n := s.content(n)
		return s.syntaxError(diag.YAMLSyntax, from, n, "this line does not fit the lines above", "indent it like its neighbours")
	}
	return nil
}

// keyExpected reports a key at line n that follows a value: the line above is
// no "key: value", or line n is indented too far.
func (s *source) keyExpected(n int) diag.List {
	for above := n - 1; above > 0; above-- {
		text := bytes.TrimSpace(s.line(above))
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if !bytes.Contains(text, []byte(": ")) && !bytes.HasSuffix(text, []byte(":")) && !bytes.HasPrefix(text, []byte("- ")) {
			from, length := s.content(above)
			return s.syntaxError(diag.YAMLSyntax, from, length, "this is not a key with a value", `write "key: value", with a space behind the colon`)
		}
		break
	}
	from, length := s.content(n)
	return s.syntaxError(diag.YAMLSyntax, from, length, "a key cannot stand below a value", "indent it like the line above")
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
		{"found character that cannot start any token", "put quotes around the value"},
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
