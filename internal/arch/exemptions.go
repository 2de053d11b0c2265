package arch

import "slices"

// exemption lets files or packages break one rule.
type exemption struct {
	rule string
	path string // of a file or a directory, which includes what is below it
	why  string
}

// exemptions is every exception to a rule about sources.
var exemptions = []exemption{
	{"clock", "cmd", "programs are where the time comes from"},
	{"clock", "bench", "a benchmark measures time"},
	{"clock", "collector/receiver", "a receiver stamps what arrives; the collector's API has no clock"},
}

// exempt removes the findings that an exemption covers.
func exempt(table []exemption, fs []finding) []finding {
	return slices.DeleteFunc(fs, func(f finding) bool {
		return slices.ContainsFunc(table, func(e exemption) bool {
			return e.rule == f.rule && match(e.path+"/...", f.path)
		})
	})
}
