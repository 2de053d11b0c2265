// Cortex, for internal/realtest: made by make bin/cortex. It builds in its own directory only, where its replacements
// apply; this file and go.sum pin what is fetched.
module github.com/plimsoll-slo/plimsoll/tools/cortex

go 1.26

require github.com/cortexproject/cortex v1.21.1
