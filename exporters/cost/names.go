package cost

import (
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Attribute names. OpenTelemetry's semantic conventions have none for cost.
const (
	Environment   = event.Environment
	Service       = event.Service
	Team          = "platform.team"
	MetricName    = "cost.metric"          // billed, effective, list or allocated; never sum over it
	CurrencyName  = "cost.currency"        // ISO 4217; never sum over it
	SpendPeriod   = "cost.period"          // mtd, last_day, trailing_7d or trailing_30d; for a budget: month
	CategoryName  = "cost.charge_category" // usage, purchase, tax, credit, adjustment, idle or other
	ProviderName  = "cost.provider"
	BudgetName    = "cost.budget.name"
	TroubleName   = "cost.trouble"
	RowClass      = "class"  // a Class
	RowAllocation = "tagged" // true if tags gave all the attributes that are required
)

// plain returns a value of a tag as it is shown: clean and in lower case, because Prod and prod are one environment.
func plain(value string) string { return strings.ToLower(event.Clean(value)) }
