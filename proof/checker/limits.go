package main

// A user's limited items in one sale, as a linearizable object: its state is what each order holds.
//
//	take         legal if the user then has at most the limit of each item
//	refuse       (over_limit) legal if the user would have had more than a limit
//	free         legal once taken; the order holds nothing then
//
// An order that was cancelled before anybody saw it reserved may have held units or not: it counts
// against a refusal, and not against a limit.

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// maxLane: a user with this many orders may be over_limit because they wait for their charges.
const maxLane = 1_000

type claim struct {
	order   int
	lines   []ItemLine
	excused bool
}

type userLimits struct {
	claims []claim
	items  map[string]Item
}

// The state has a letter for each order: '-' nothing yet, 'h' holds, 'm' maybe, 'f' freed.
func (l *userLimits) model() porcupine.Model {
	start := make([]byte, len(l.claims))
	for i := range start {
		start[i] = '-'
	}
	return porcupine.Model{
		Init: func() interface{} { return string(start) },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			held, s := state.(string), input.(step)
			switch s.kind {
			case "take":
				return !l.over(held, s.seq, "h"), with(held, s.seq, 'h')
			case "maybe":
				return true, with(held, s.seq, 'm')
			case "free":
				return held[s.seq] != '-', with(held, s.seq, 'f')
			default:
				return s.excused || l.over(held, s.seq, "hm"), held
			}
		},
	}
}

// over: with the order and what the letters hold, the user has more than a limit.
func (l *userLimits) over(held string, order int, letters string) bool {
	for _, line := range l.claims[order].lines {
		limit, units := l.items[line.Sku].Limit, line.Qty
		if limit == 0 {
			continue
		}
		for i, claim := range l.claims {
			if held[i] == letters[0] || held[i] == letters[len(letters)-1] {
				units += unitsOf(claim.lines, line.Sku)
			}
		}
		if units > limit {
			return true
		}
	}
	return false
}

func unitsOf(lines []ItemLine, sku string) int {
	for _, line := range lines {
		if line.Sku == sku {
			return line.Qty
		}
	}
	return 0
}

func with(held string, order int, letter byte) string {
	next := []byte(held)
	next[order] = letter
	return string(next)
}

// checkLimits judges each sale in which the user wants limited items. Returns its operations.
func checkLimits(h *History, u *User, orders []*Facts, out *Findings) int {
	bySale := map[string][]*Facts{}
	for _, f := range orders {
		if f.Body != nil && f.First < never && touchesLimit(h, f) {
			bySale[f.Body.SaleID] = append(bySale[f.Body.SaleID], f)
		}
	}
	total := 0
	for sale, wanted := range bySale {
		limits := &userLimits{items: h.Sales[sale].Items}
		ops := limits.ops(wanted, len(orders) >= maxLane)
		total += len(ops)
		linearize(limits.model(), ops, finding{
			"I5", "a limit was exceeded, or an order was refused within it", u.Name + " in " + sale,
		}, out)
	}
	return total
}

// touchesLimit: the order is for a limited item, or was refused for a limit.
func touchesLimit(h *History, f *Facts) bool {
	sale := h.Sales[f.Body.SaleID]
	if sale == nil {
		return false
	}
	for _, line := range f.Body.Lines {
		if sale.Items[line.Sku].Limit > 0 {
			return f.Sure || f.Maybe || f.State == "over_limit"
		}
	}
	return f.State == "over_limit"
}

func (l *userLimits) ops(wanted []*Facts, excused bool) []porcupine.Operation {
	var ops []porcupine.Operation
	for i, f := range wanted {
		l.claims = append(l.claims, claim{order: i, lines: f.Body.Lines})
		s := step{seq: i, excused: excused, events: f.events(), who: fmt.Sprint(f.ID, " ", f.State)}
		switch {
		case f.Sure:
			s.kind = "take"
		case f.Maybe:
			s.kind = "maybe"
		default:
			s.kind = "refuse"
		}
		ops = append(ops, operation(s, f.From, f.To))
		if s.kind != "refuse" && f.FreeTo < never {
			s.kind = "free"
			ops = append(ops, operation(s, f.FreeFrom, f.FreeTo))
		}
	}
	return ops
}
