package diag

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// docsURL is where the page of a code is read.
const docsURL = "https://github.com/plimsoll-slo/plimsoll/blob/main/docs/diag/"

// URL returns the address of the page of c.
func (c Code) URL() string { return docsURL + string(c) + ".md" }

// JSON writes l as one object: {"findings": [...], "errors": n, "warnings": n}.
// docs/json-output.md documents the fields.
func JSON(w io.Writer, l List) error {
	type finding struct {
		Diag
		URL string `json:"url"`
	}
	errs, warns, _ := l.Count()
	out := struct {
		Findings []finding `json:"findings"`
		Errors   int       `json:"errors"`
		Warnings int       `json:"warnings"`
	}{[]finding{}, errs, warns}
	for _, d := range l {
		out.Findings = append(out.Findings, finding{d, d.Code.URL()})
	}
	return encode(w, out)
}

// GitHub writes l as GitHub Actions workflow commands, one line a finding,
// which the runner shows beside the changed line.
func GitHub(w io.Writer, l List) error {
	for _, d := range l {
		level := [...]string{"notice", "warning", "error"}[d.Sev]
		place := "file=" + property(d.Pos.File)
		if d.Pos.Line > 0 {
			place += fmt.Sprintf(",line=%d,col=%d,endColumn=%d", d.Pos.Line, d.Pos.Col, d.Pos.Col+d.Len)
		}
		msg := d.Msg
		if d.Hint != "" {
			msg += " (hint: " + d.Hint + ")"
		}
		if _, err := fmt.Fprintf(w, "::%s %s,title=%s::%s\n", level, place, property(string(d.Code)), data(msg)); err != nil {
			return err
		}
	}
	return nil
}

func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(printable(s))
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(printable(s))
}

// m is a JSON object.
type m = map[string]any

// physical returns the SARIF form of n characters at p.
func physical(p Pos, n int) m {
	out := m{"artifactLocation": m{"uri": (&url.URL{Path: p.File}).EscapedPath()}}
	if p.Line > 0 {
		out["region"] = m{"startLine": p.Line, "startColumn": p.Col, "endColumn": p.Col + n}
	}
	return out
}

// SARIF writes l as a SARIF 2.1.0 log with one run, which code scanning
// services read. version is the version of the program.
func SARIF(w io.Writer, l List, version string) error {
	type text struct {
		Text string `json:"text"`
	}
	rules, seen := []m{}, map[Code]int{}
	results := []m{}
	for _, d := range l {
		if _, ok := seen[d.Code]; !ok {
			seen[d.Code] = len(rules)
			rules = append(rules, m{"id": d.Code, "shortDescription": text{d.Code.Title()}, "helpUri": d.Code.URL()})
		}
		msg := d.Msg
		if d.Hint != "" {
			msg += "\nHint: " + d.Hint
		}
		result := m{
			"ruleId": d.Code, "ruleIndex": seen[d.Code], "message": text{msg},
			"level":     [...]string{"note", "warning", "error"}[d.Sev],
			"locations": []m{{"physicalLocation": physical(d.Pos, d.Len)}},
		}
		if r := d.Related; r != nil {
			result["relatedLocations"] = []m{{"physicalLocation": physical(r.Pos, 1), "message": text{r.Msg}}}
		}
		results = append(results, result)
	}
	return encode(w, m{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []m{{
			"tool":       m{"driver": m{"name": "plimsoll", "version": version, "informationUri": "https://github.com/plimsoll-slo/plimsoll", "rules": rules}},
			"columnKind": "unicodeCodePoints",
			"results":    results,
		}},
	})
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
