package secrets

import "github.com/plimsoll-slo/plimsoll/exporters/source"

// Subject identifies a secret over all sources that know it: instance tells apart stores of one kind, scope is as in
// Secret, shown is what Naming shows of its name. It begins with Below of all but shown.
func Subject(store, instance, scope, kind, shown string) string {
	return Below(store, instance, scope, kind) + "/" + source.Ident(shown)
}

// Below returns the Subject of a Listing of some secrets of a store, the part of their Subject that they share.
func Below(store, instance, scope, kind string) string {
	return store + "/" + source.Ident(instance) + "/" + source.Ident(scope) + "/" + kind
}
