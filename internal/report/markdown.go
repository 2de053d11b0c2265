package report

import (
	_ "embed"
	"io"
	"strings"
	"text/template"
)

//go:embed report.md.tmpl
var markdownText string

var markdownTemplate = template.Must(template.New("markdown").Funcs(template.FuncMap{"text": escape}).Parse(markdownText))

// Markdown writes r as Markdown with tables, as GitHub and GitLab show it.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	if err := markdownTemplate.Execute(&b, r.view()); err != nil {
		panic("report: " + err.Error()) // a template of ours
	}
	text := b.String()
	for strings.Contains(text, "\n\n\n") {
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	_, err := io.WriteString(w, strings.TrimSpace(text)+"\n")
	return err
}

// escape makes text of the specs that Markdown shows as it is, also in a table.
func escape(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`,
	).Replace(text)
}
