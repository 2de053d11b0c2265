package cost

import "strings"

// The columns of AWS Cost and Usage Reports that are read, and no others.
const (
	curUnblended = iota
	curUsageStart
	curUsageEnd
	curBillingStart
	curBillingEnd
	curCurrency
	curType
	curPublic
	curReservationARN
	curReservationEffective
	curReservationUnusedFee
	curReservationUnusedRecurring
	curPlanEffective
	curPlanCommitment
	curPlanUsed
	curTags
)

var curColumns = []column{
	curUnblended:                  {names: []string{"lineitemunblendedcost"}, required: true},
	curUsageStart:                 {names: []string{"lineitemusagestartdate"}, required: true},
	curUsageEnd:                   {names: []string{"lineitemusageenddate"}},
	curBillingStart:               {names: []string{"billbillingperiodstartdate"}},
	curBillingEnd:                 {names: []string{"billbillingperiodenddate"}},
	curCurrency:                   {names: []string{"lineitemcurrencycode"}},
	curType:                       {names: []string{"lineitemlineitemtype"}, required: true},
	curPublic:                     {names: []string{"pricingpublicondemandcost"}},
	curReservationARN:             {names: []string{"reservationreservationarn"}},
	curReservationEffective:       {names: []string{"reservationeffectivecost"}},
	curReservationUnusedFee:       {names: []string{"reservationunusedamortizedupfrontfeeforbillingperiod"}},
	curReservationUnusedRecurring: {names: []string{"reservationunusedrecurringfee"}},
	curPlanEffective:              {names: []string{"savingsplansavingsplaneffectivecost"}},
	curPlanCommitment:             {names: []string{"savingsplantotalcommitmenttodate"}},
	curPlanUsed:                   {names: []string{"savingsplanusedcommitment"}},
	curTags:                       {names: []string{"resourcetags"}},
}

// curTypes are the kinds of lines, by category.
var curTypes = map[string]Category{
	"usage": Usage, "discountedusage": Usage, "savingsplancoveredusage": Usage, "savingsplannegation": Usage,
	"fee": Purchase, "rifee": Purchase, "savingsplanrecurringfee": Purchase, "savingsplanupfrontfee": Purchase,
	"tax": Tax, "credit": Credit,
	"refund": Adjustment, "edpdiscount": Adjustment, "bundleddiscount": Adjustment, "discount": Adjustment,
	"privateratediscount": Adjustment, "sppdiscount": Adjustment, "riedpdiscount": Adjustment, "rivolumediscount": Adjustment,
}

// cur reads a row of a Cost and Usage Report. Billed is the unblended cost of every line: lines of discounts and negations
// take off what the others have too much.
func (r *reader) cur() {
	row := &r.row
	row.Provider = "aws"
	r.must(curUnblended, "billed", &row.Costs[Billed])
	r.amount(curPublic, "list", &row.Costs[List])
	r.charge(curUsageStart, curUsageEnd)
	r.period(curBillingStart, curBillingEnd, "billing", &row.Billing)
	row.Currency = string(r.field(curCurrency))
	kind := r.word(curType)
	var ok bool
	if row.Category, ok = curTypes[kind]; !ok {
		row.Category = Other
		r.trouble("category", Unknown)
	}
	row.Committed = r.field(curReservationARN) != nil || strings.HasPrefix(kind, "savingsplan")
	r.curEffective(kind)
	if tags := r.field(curTags); tags != nil {
		r.tagObject(tags)
	}
	for _, t := range r.tags {
		if value := r.record[t.index]; len(value) > 0 {
			row.Tags = append(row.Tags, Tag{t.key, string(value)})
		}
	}
}

// curEffective computes the amortised cost, which no column has for all kinds of lines. Where a column that it needs is
// empty, the effective cost is not known. Source: AWS, "Understanding savings plans" and "Understanding your reservations",
// Cost and Usage Report user guide.
func (r *reader) curEffective(kind string) {
	into := &r.row.Costs[Effective]
	zero := Cost{Known: true}
	switch kind {
	case "savingsplancoveredusage":
		r.amount(curPlanEffective, "effective", into)
	case "savingsplannegation", "savingsplanupfrontfee":
		*into = zero
	case "savingsplanrecurringfee":
		var total, used Cost
		if r.amount(curPlanCommitment, "effective", &total) && r.amount(curPlanUsed, "effective", &used) {
			*into = Cost{total.Minus(used.Amount), true}
		}
	case "discountedusage":
		r.amount(curReservationEffective, "effective", into)
	case "rifee":
		var fee, recurring Cost
		if r.amount(curReservationUnusedFee, "effective", &fee) && r.amount(curReservationUnusedRecurring, "effective", &recurring) {
			*into = Cost{fee.Plus(recurring.Amount), true}
		}
	case "fee":
		if r.field(curReservationARN) != nil {
			*into = zero
			return
		}
		*into = r.row.Costs[Billed]
	default:
		*into = r.row.Costs[Billed]
	}
}
