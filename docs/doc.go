// Package docs tests the documentation: every example compiles, every output is
// what the program really prints, and every link leads somewhere.
//
//	go test ./docs -update    # writes outputs, spec.md and the index of codes anew
package docs
