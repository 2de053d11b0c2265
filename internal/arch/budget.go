package arch

import "fmt"

// budget is the most packages from outside the standard library, ours included, that a program may link.
// It is there to notice a dependency that drags in a hundred others. Raise a number only with a reason in
// the commit; lower it when a dependency goes. The test prints the present numbers with -v.
var budget = map[string]int{
	// 650 without serve: its receivers and its query API are those of Prometheus, with all that they link.
	// 790 without reports, stores of others, Grafana, packs and the check of the closed world: packages of ours.
	"cmd/plimsoll": 820,
	// Each domain of telemetry is one to three small packages of ours.
	"cmd/plimsoll-collector": 1030,
	// 1700 without buckets of bills: minio-go is 22.
	"cmd/plimsoll-gateway": 1740,
}

// linked returns the number of packages outside the standard library that a program links, itself
// included, or false if there is no such program.
func linked(pkgs []pkg, path string) (int, bool) {
	byPath := map[string]pkg{}
	for _, p := range pkgs {
		byPath[p.ImportPath] = p
	}
	main, ok := byPath[modulePath+"/"+path]
	if !ok || main.Name != "main" {
		return 0, false
	}
	seen := map[string]bool{main.ImportPath: true}
	n := 0
	for todo := []pkg{main}; len(todo) > 0; todo = todo[1:] {
		if todo[0].Standard {
			continue
		}
		n++
		for _, imp := range todo[0].Imports {
			if !seen[imp] {
				seen[imp] = true
				todo = append(todo, byPath[imp])
			}
		}
	}
	return n, true
}

// budgetFindings checks every line of a budget.
func budgetFindings(budget map[string]int, pkgs []pkg) []finding {
	var out []finding
	for path, most := range budget {
		n, ok := linked(pkgs, path)
		switch {
		case !ok:
			out = append(out, finding{"budget", path, 0, "has a budget in budget.go but is not a program of this module"})
		case n > most:
			out = append(out, finding{"budget", path, 0, fmt.Sprintf(
				"links %d packages from outside the standard library, budget.go allows %d", n, most,
			)})
		}
	}
	return out
}
