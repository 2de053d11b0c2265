package cost

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Check returns what is wrong with the options, which a book would panic over or show nonsense for: rules without
// attribute or tags, attributes given twice or of our own, and budgets that no series could belong to.
func (o Options) Check() error {
	if o.Rules == nil {
		o.Rules = DefaultRules()
	}
	ours := []string{MetricName, CurrencyName, SpendPeriod, CategoryName, ProviderName, BudgetName, TroubleName, RowClass, RowAllocation}
	var attributes []string
	for _, rule := range o.Rules {
		switch {
		case rule.Attribute == "" || !utf8.ValidString(rule.Attribute+rule.Default):
			return fmt.Errorf("rule of attribute %q with default %q: want texts in UTF-8", rule.Attribute, rule.Default)
		case slices.Contains(attributes, rule.Attribute) || slices.Contains(ours, rule.Attribute):
			return fmt.Errorf("rule of attribute %q: it is taken", rule.Attribute)
		case len(rule.Keys) == 0:
			return fmt.Errorf("rule of attribute %q: want the tags to look at", rule.Attribute)
		}
		for from, to := range rule.Aliases {
			if from != plain(from) || to != plain(to) || to == "" {
				return fmt.Errorf("rule of attribute %q: alias %q of %q: want clean texts in lower case", rule.Attribute, from, to)
			}
		}
		attributes = append(attributes, rule.Attribute)
	}
	for _, name := range o.Required {
		if !slices.Contains(attributes, name) {
			return fmt.Errorf("required attribute %q: no rule gives it", name)
		}
	}
	return o.checkBudgets(attributes)
}

func (o Options) checkBudgets(attributes []string) error {
	var names []string
	for _, budget := range o.Budgets {
		switch {
		case budget.Name == "" || !utf8.ValidString(budget.Name) || slices.Contains(names, budget.Name):
			return fmt.Errorf("budget %q: want a name of its own", budget.Name)
		case !isCurrency(budget.Currency):
			return fmt.Errorf("budget %q: currency %q is not three capital letters", budget.Name, budget.Currency)
		case budget.Amount.Sign() <= 0:
			return fmt.Errorf("budget %q: want an amount above 0, have %s", budget.Name, budget.Amount)
		}
		for name, value := range budget.Match {
			if !slices.Contains(attributes, name) || value != plain(value) || value == "" {
				return fmt.Errorf("budget %q: %q of %q: want a value in lower case of an attribute of a rule", budget.Name, value, name)
			}
		}
		names = append(names, budget.Name)
	}
	return nil
}
