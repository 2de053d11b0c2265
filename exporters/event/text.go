package event

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is the most bytes of a text that comes from outside.
const MaxText = 128

// Clean returns s fit for an attribute: valid UTF-8, every run of white space and control characters one space, none
// at the ends, at most MaxText bytes cut between characters. Bytes that are not UTF-8 become U+FFFD.
func Clean(s string) string {
	if len(s) > 8*MaxText {
		s = s[:8*MaxText]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(s) <= MaxText {
		return s
	}
	cut := MaxText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimRight(s[:cut], " ")
}

// Word returns s in lower case if it is one word of a provider's vocabulary: at most 32 of a-z, 0-9, _ and -.
// It returns "" for anything else, so that free text can not pass as a status.
func Word(s string) string {
	if len(s) > 32 {
		return ""
	}
	s = strings.ToLower(s)
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return ""
		}
	}
	return s
}

// Hex returns s if it is a commit id, 40 or 64 hexadecimal digits, otherwise "".
func Hex(s string) string {
	if len(s) != 40 && len(s) != 64 {
		return ""
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return s
}
