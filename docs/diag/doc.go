// Package pages holds the page of each finding code, so that a program can
// print what the repository shows.
package pages

import "embed"

//go:embed *.md
var files embed.FS

// Page returns the page of a code, such as "yaml-tab", as Markdown. Its first
// line is "# " and the code. ok is false when there is no such code.
func Page(code string) (text string, ok bool) {
	if code == "README" {
		return "", false
	}
	b, err := files.ReadFile(code + ".md")
	return string(b), err == nil
}
