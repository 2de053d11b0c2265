package cost_test

import (
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
)

func TestCheck(t *testing.T) {
	f := func(o cost.Options, want string) {
		t.Helper()
		err := o.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Check(%+v) = %v, want %q", o, err, want)
		}
	}
	rule := func(attribute string, keys ...string) cost.Rule { return cost.Rule{Attribute: attribute, Keys: keys} }
	budget := func(name, currency string, amount int64, match map[string]string) cost.Options {
		return cost.Options{Budgets: []cost.Budget{{Name: name, Currency: currency, Amount: cost.Whole(amount), Match: match}}}
	}
	f(cost.Options{}, "")
	f(cost.Options{Rules: []cost.Rule{}}, "")
	f(cost.Options{Rules: []cost.Rule{rule("a", "x"), rule("b", "x")}}, "")
	f(cost.Options{Rules: []cost.Rule{rule("", "x")}}, "UTF-8")
	f(cost.Options{Rules: []cost.Rule{rule("a\xff", "x")}}, "UTF-8")
	f(cost.Options{Rules: []cost.Rule{rule("a")}}, "the tags")
	f(cost.Options{Rules: []cost.Rule{rule("a", "x"), rule("a", "y")}}, "taken")
	f(cost.Options{Rules: []cost.Rule{rule(cost.MetricName, "x")}}, "taken")
	f(cost.Options{Rules: []cost.Rule{{Attribute: "a", Keys: []string{"x"}, Aliases: map[string]string{"Prod": "production"}}}}, "alias")
	f(cost.Options{Required: []string{cost.Team}}, "")
	f(cost.Options{Required: []string{"cost.center"}}, "no rule")
	f(budget("dev", "USD", 1, map[string]string{cost.Environment: "dev"}), "")
	f(budget("", "USD", 1, nil), "a name")
	f(budget("dev", "usd", 1, nil), "capital letters")
	f(budget("dev", "USD", -1, nil), "above 0")
	f(budget("dev", "USD", 1, map[string]string{cost.CurrencyName: "x"}), "attribute of a rule")
	f(budget("dev", "USD", 1, map[string]string{cost.Environment: "Dev"}), "attribute of a rule")
	f(cost.Options{Budgets: []cost.Budget{{Name: "a", Currency: "USD", Amount: cost.Whole(1)}, {Name: "a", Currency: "USD", Amount: cost.Whole(1)}}}, "a name")
}
