package cost

// The columns of FOCUS that are read, and no others.
const (
	focusBilled = iota
	focusChargeStart
	focusChargeEnd
	focusBillingStart
	focusBillingEnd
	focusCurrency
	focusEffective
	focusList
	focusCategory
	focusClass
	focusCommitment
	focusProvider
	focusTags
)

var focusColumns = []column{
	focusBilled:       {names: []string{"billedcost"}, required: true},
	focusChargeStart:  {names: []string{"chargeperiodstart"}, required: true},
	focusChargeEnd:    {names: []string{"chargeperiodend"}},
	focusBillingStart: {names: []string{"billingperiodstart"}},
	focusBillingEnd:   {names: []string{"billingperiodend"}},
	focusCurrency:     {names: []string{"billingcurrency"}},
	focusEffective:    {names: []string{"effectivecost"}},
	focusList:         {names: []string{"listcost"}},
	focusCategory:     {names: []string{"chargecategory"}},
	focusClass:        {names: []string{"chargeclass"}},
	focusCommitment:   {names: []string{"commitmentdiscountid"}},
	focusProvider:     {names: []string{"providername", "serviceprovidername"}},
	focusTags:         {names: []string{"tags"}},
}

// focus reads a row of FOCUS 1.0, 1.1 or 1.2: they differ in columns that are not read.
func (r *reader) focus() {
	row := &r.row
	r.must(focusBilled, "billed", &row.Costs[Billed])
	r.amount(focusEffective, "effective", &row.Costs[Effective])
	r.amount(focusList, "list", &row.Costs[List])
	r.charge(focusChargeStart, focusChargeEnd)
	r.period(focusBillingStart, focusBillingEnd, "billing", &row.Billing)
	row.Currency = string(r.field(focusCurrency))
	r.category(focusCategory)
	row.Correction = r.word(focusClass) == "correction"
	row.Committed = r.field(focusCommitment) != nil
	if row.Provider = r.word(focusProvider); row.Provider == "" {
		row.Provider = unknownProvider
	}
	r.tagObject(r.field(focusTags))
}

// unknownProvider is the provider of rows that do not name one.
const unknownProvider = "unknown"

// charge reads the period that is paid for; its start is required.
func (r *reader) charge(start, end int) {
	if r.field(start) == nil {
		r.refuse("charge", BadTime)
		return
	}
	r.period(start, end, "charge", &r.row.Charge)
}

// category reads the category; one that is not known counts as other.
func (r *reader) category(column int) {
	word := r.word(column)
	r.row.Category = category(word)
	if r.row.Category == Other && word != "" {
		r.trouble("category", Unknown)
	}
}
