package cost

import "time"

// Metric says what a cost means. Costs of two metrics are never added.
type Metric int

// The metrics of cost.
const (
	// Billed is what the invoice says, on the day it is charged: the one for budgets.
	Billed Metric = iota
	// Effective spreads what was paid in advance over what it is used for: the one to show a team.
	Effective
	// List is what it would cost without any discount.
	List
	// Allocated is OpenCost's share of a workload in the cost of its cluster, by list or configured prices. The cluster
	// itself is on a bill as well, so it is a metric of its own.
	Allocated

	metrics = iota
)

// String returns the word in cost.metric.
func (m Metric) String() string { return [...]string{"billed", "effective", "list", "allocated"}[m] }

// Category is the kind of a charge.
type Category string

// The categories: FOCUS's, and two of ours.
const (
	Usage      Category = "usage"
	Purchase   Category = "purchase"
	Tax        Category = "tax"
	Credit     Category = "credit"
	Adjustment Category = "adjustment"
	// Idle is capacity of a cluster that no workload asked for.
	Idle Category = "idle"
	// Other is a category that nothing here knows. Its money counts.
	Other Category = "other"
)

// Period is a time from Start up to, but not including, End.
type Period struct{ Start, End time.Time }

// Cost is one amount of a row. Known is false if the row does not say it, which is not 0.
type Cost struct {
	Amount
	Known bool
}

// Row is one line of a bill, or of an answer of OpenCost, in one form.
type Row struct {
	// Line is where the row starts in a text file, from 1; for JSON it is which of the values it is.
	Line int
	// Provider is who charges, in lower case: "aws".
	Provider string
	// Billing is the period whose invoice has the row, Charge the time that is paid for.
	Billing, Charge Period
	// Currency is a code of ISO 4217.
	Currency string
	Category Category
	// Correction says that the row corrects an invoice that was sent before.
	Correction bool
	// Committed says that the row is, or is covered by, a discount for a commitment.
	Committed bool
	Costs     [metrics]Cost
	// Tags are what the owner wrote on the resource, in the order of the file, keys and values unchanged.
	Tags []Tag
}

// Tag is a name and value on a resource.
type Tag struct{ Key, Value string }

// category returns the category of FOCUS's word in lower case.
func category(word string) Category {
	switch c := Category(word); c {
	case Usage, Purchase, Tax, Credit, Adjustment:
		return c
	}
	return Other
}

// Class is what became of a row.
type Class string

// The classes of rows.
const (
	OK         Class = "ok"
	Corrected  Class = "corrected"  // good, and corrects an earlier invoice
	Null       Class = "null"       // good, but no cost in it
	Unparsable Class = "unparsable" // something in it can not be read; not counted
	Duplicate  Class = "duplicate"  // of a file that is there under another name; not counted twice
	Superseded Class = "superseded" // of a file that a newer one has replaced already; not counted
)

// Trouble says what is wrong with a row or a file. It is one word, without anything from the file.
type Trouble string

// The troubles.
const (
	BadSyntax    Trouble = "syntax"    // quotes, or a record that is too long
	BadWidth     Trouble = "width"     // more or fewer fields than the head
	BadAmount    Trouble = "amount"    // not a decimal number
	BadTime      Trouble = "time"      // not a time, ambiguous, or not between 1990 and 2200
	BadPeriod    Trouble = "period"    // ends before it starts
	BadCurrency  Trouble = "currency"  // not three letters
	BadTags      Trouble = "tags"      // not a JSON object of texts; the row counts as one without tags
	DirtyTag     Trouble = "tag_key"   // white space around the key; taken without
	Unknown      Trouble = "category"  // a category or kind of line that is not known; counts as other
	Truncated    Trouble = "truncated" // effective cost is billed cost as a whole number; not counted
	TooManyKinds Trouble = "too_many"  // more currencies or providers than a bill can have
)

// Problem is where something is wrong.
type Problem struct {
	Line    int
	Column  string // as this package calls it; "" for the whole row
	Trouble Trouble
}
