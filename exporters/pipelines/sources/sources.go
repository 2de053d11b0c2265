// Package sources reads what CI and CD systems send and keep: one decoder for each form of delivery or record, each a
// pure function to the facts of package pipelines, as events. A decoder copies the fields it names and nothing else, so
// that no e-mail address, commit message or log line can travel with them. What it does not understand it says in
// event.Unmapped, and what it does not use is one event.Unused.
package sources
