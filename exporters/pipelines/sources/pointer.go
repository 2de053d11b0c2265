package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

// pointer is a place in a JSON document: the names and numbers on the way to it. Source: RFC 6901.
type pointer []string

// parsePointer reads the text form, such as /build/steps/0/name; ~1 stands for / and ~0 for ~ in a name.
func parsePointer(text string) (pointer, error) {
	if !strings.HasPrefix(text, "/") {
		return nil, errors.New("want a JSON Pointer, which begins with /")
	}
	names := strings.Split(text[1:], "/")
	for i, name := range names {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(name), "~") {
			return nil, errors.New("want ~0 or ~1 wherever a JSON Pointer has ~")
		}
		names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	return names, nil
}

// in returns the value at the place, or nil if there is none.
func (p pointer) in(document any) any {
	for _, name := range p {
		switch v := document.(type) {
		case map[string]any:
			document = v[name]
		case []any:
			i, err := strconv.ParseUint(name, 10, 31)
			if err != nil || i >= uint64(len(v)) || strconv.FormatUint(i, 10) != name {
				return nil
			}
			document = v[i]
		default:
			return nil
		}
	}
	return document
}

// parseDocument reads one JSON value and nothing after it, with numbers as they are written.
func parseDocument(body []byte) (document any, err error) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return nil, errors.New("not valid JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("not one JSON value")
	}
	return document, nil
}

// textOf returns a text, a number or a truth value as text; ok is false for anything else, but not for nothing.
func textOf(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
