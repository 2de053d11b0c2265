package tail

import (
	"bytes"
	"encoding/json"
	"os"
)

// stat returns what a file is like; the zero value if there is none.
func stat(path string) (seen, error) {
	info, err := os.Stat(path)
	if err != nil {
		return seen{}, ignoreMissing(err)
	}
	return seen{info.Size(), info.ModTime()}, nil
}

// complete tells whether a document that is not compressed is all there: it is valid JSON, or whole lines of it.
func complete(body []byte) bool {
	if json.Valid(body) {
		return true
	}
	if !bytes.HasSuffix(body, []byte("\n")) {
		return false
	}
	first, _, _ := bytes.Cut(body, []byte("\n"))
	return json.Valid(first)
}
