package yamlsrc

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

var (
	documentsMsg = fmt.Sprintf("more than %d documents in one file", MaxDocuments)
	depthMsg     = fmt.Sprintf("more than %d levels of nesting", MaxDepth)
	aliasMsg     = fmt.Sprintf("more than %d values after aliases are expanded", MaxNodes)
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
	case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
		return diag.YAMLEncoding, fmt.Sprintf("invisible character U+%04X, which shows text in another order than it is read", r), "remove it"
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
