// Thanos, for internal/realtest: made by make bin/thanos. It builds in its own directory only, where its replacements
// apply; this file and go.sum pin what is fetched.
module github.com/plimsoll-slo/plimsoll/tools/thanos

go 1.26

require github.com/thanos-io/thanos v0.42.0
