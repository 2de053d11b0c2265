package rules_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// rehearsed is a set for which most tests can be written, in the forms in which people write queries.
func rehearsed() string {
	spec := availability("99.9%", "{rolling: 30d}", "", "three-nines") +
		availability("90%", "{rolling: 7d}", "", "one-nine") +
		availability("100%", "{calendar: month, timeZone: Europe/Berlin}", "", "no-budget") + coarseUnder("slow-clock")
	spec = strings.ReplaceAll(spec, "apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: shop}\nspec: {owner: {team: web}, runbook: \"https://runbooks.example/shop\"}\n", "apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: shop}\nspec: {owner: {team: web}}\n---SPLIT")
	first, rest, _ := strings.Cut(spec, "---SPLIT")
	spec = first + strings.ReplaceAll(rest, "apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: shop}\nspec: {owner: {team: web}}\n---SPLIT", "")
	return spec
}
