// Makes quantities.tsv: strings and what Kubernetes' own parser says about each of them.
// The same flags give the same bytes. See ../README.md.
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"log"
	"math"
	"math/big"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

type row struct {
	text  string
	ok    bool
	value resource.Quantity
	rank  int
}

// clamp does to Kubernetes' value what rayfix decides to do: everything beyond ±(2^63-1) whole
// units is one value. Kubernetes caps only binary suffixes and orders the others by arbitrary
// precision; no node holds as much, so rayfix saturates. The exponent is looked at first because
// Cmp writes 10^exponent out, which for 1e2000000000 takes gigabytes.
func clamp(value resource.Quantity) resource.Quantity {
	limit := resource.NewQuantity(math.MaxInt64, resource.DecimalSI)
	if value.Sign() == 0 {
		return resource.Quantity{}
	}
	size := value.DeepCopy()
	huge := -int64(size.AsDec().Scale()) > 40
	negative := value.Sign() < 0
	if negative {
		size.Neg()
	}
	if !huge && size.Cmp(*limit) <= 0 {
		return value
	}
	if negative {
		limit.Neg()
	}
	return *limit
}

func ask(text string) row {
	value, err := resource.ParseQuantity(text)
	if err != nil {
		return row{text: text}
	}
	return row{text: text, ok: true, value: clamp(value)}
}

// rankAll numbers the values from 0 upwards in the order of Quantity.Cmp; equal values share one.
func rankAll(rows []row) {
	var order []*row
	for i := range rows {
		if rows[i].ok {
			order = append(order, &rows[i])
		}
	}
	slices.SortStableFunc(order, func(a, b *row) int { return a.value.Cmp(b.value) })
	for i := 1; i < len(order); i++ {
		order[i].rank = order[i-1].rank + cmp.Compare(order[i].value.Cmp(order[i-1].value), 0)
	}
}

// nano is the value in units of 10^-9. Parsing has rounded it to whole ones.
func nano(value resource.Quantity) *big.Int {
	dec := value.AsDec()
	shift := int64(9 - dec.Scale())
	if shift < 0 {
		log.Fatalf("%s is finer than a nano", value.String())
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(shift), nil)
	return power.Mul(power, dec.UnscaledBig())
}

// escape leaves printable ASCII alone. '#' opens a comment line, so it is not left alone.
func escape(text string) string {
	var out []byte
	for i := range len(text) {
		if c := text[i]; c > ' ' && c < 0x7f && c != '\\' && c != '#' {
			out = append(out, c)
		} else {
			out = fmt.Appendf(out, `\x%02x`, c)
		}
	}
	return string(out)
}

const heading = `# Made by tests/quantity/generate; do not edit. Columns: text (\xNN for a byte),
# verdict, rank in Kubernetes' order (equal values share one), value in nano.
# Beyond 2^63-1 units either way all values share the last rank: rayfix saturates.
`

func write(rows []row) error {
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprint(out, heading)
	for _, r := range rows {
		if r.ok {
			fmt.Fprintf(out, "%s\tok\t%d\t%s\n", escape(r.text), r.rank, nano(r.value))
		} else {
			fmt.Fprintf(out, "%s\tbad\n", escape(r.text))
		}
	}
	return out.Flush()
}

func main() {
	random := flag.Int("random", 10000, "how many random strings to try besides the corners")
	seed := flag.Uint64("seed", 1, "seed of the random strings")
	flag.Parse()
	texts := newTexts()
	texts.addCorners()
	texts.addRandom(*random, *seed)
	rows := make([]row, 0, len(texts.list))
	for _, text := range texts.list {
		rows = append(rows, ask(text))
	}
	rankAll(rows)
	if err := write(rows); err != nil {
		log.Fatal(err)
	}
}
