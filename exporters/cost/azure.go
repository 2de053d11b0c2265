package cost

import "slices"

// The columns of Azure's cost exports that are read, and no others.
const (
	azureCost = iota
	azureDate
	azureBillingStart
	azureBillingEnd
	azureCurrency
	azureType
	azureModel
	azureTags
)

var azureColumns = []column{
	azureCost:         {names: []string{"costinbillingcurrency"}, required: true},
	azureDate:         {names: []string{"date", "usagedatetime"}, required: true},
	azureBillingStart: {names: []string{"billingperiodstartdate"}},
	azureBillingEnd:   {names: []string{"billingperiodenddate"}},
	azureCurrency:     {names: []string{"billingcurrencycode", "billingcurrency"}},
	azureType:         {names: []string{"chargetype"}},
	azureModel:        {names: []string{"pricingmodel"}},
	azureTags:         {names: []string{"tags"}},
}

// azureTypes are the kinds of charges, by category.
var azureTypes = map[string]Category{
	"usage": Usage, "unusedreservation": Usage, "unusedsavingsplan": Usage,
	"purchase": Purchase, "tax": Tax, "credit": Credit, "refund": Adjustment, "roundingadjustment": Adjustment, "adjustment": Adjustment,
}

// azure reads a row of an export of enterprise or customer agreements. Actual and amortised cost come in files that look
// alike, so the format says which metric the only cost is.
func (r *reader) azure(metric Metric) {
	row := &r.row
	row.Provider = "azure"
	r.must(azureCost, metric.String(), &row.Costs[metric])
	r.charge(azureDate, azureDate)
	row.Charge.End = row.Charge.Start.AddDate(0, 0, 1)
	r.period(azureBillingStart, azureBillingEnd, "billing", &row.Billing)
	if !row.Billing.End.IsZero() {
		// Azure writes the last day, not the first one behind.
		row.Billing.End = row.Billing.End.AddDate(0, 0, 1)
	}
	row.Currency = string(r.field(azureCurrency))
	var ok bool
	if row.Category, ok = azureTypes[r.word(azureType)]; !ok {
		row.Category = Other
		r.trouble("category", Unknown)
	}
	model := r.word(azureModel)
	row.Committed = model == "reservation" || model == "savingsplan"
	tags := r.field(azureTags)
	if len(tags) > 0 && tags[0] != '{' {
		tags = slices.Concat([]byte("{"), tags, []byte("}"))
	}
	r.tagObject(tags)
}
