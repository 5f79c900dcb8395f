package main

// One order by itself: it exists only because it was sent, an accepted one ends, it ends once, and
// what was seen of it never changes back. A scan of each order's events.

import (
	"fmt"
	"slices"
	"sort"
)

func checkLife(h *History, u *User, f *Facts, out *Findings) {
	checkSubmitted(h, f, out)
	checkEnded(h, u, f, out)
	checkStates(f, out)
	checkReads(f, out)
	checkTimes(h, f, out)
	checkBody(h, f, out)
	checkCancels(f, out)
}

func checkSubmitted(h *History, f *Facts, out *Findings) {
	if f.Final != nil && f.Final.User != f.User {
		what := "a user read another user's order"
		out.add("I2", what, f.User+" read "+f.Final.User+" "+f.ID, f.FinalAt)
		return
	}
	if len(f.Sights) == 0 || !h.Whole {
		return
	}
	switch {
	case len(f.Sendings) == 0:
		out.add("I2", "an order that nobody submitted", f.who(), f.events())
	case f.First == never:
		out.add("I10", "a refused order had an effect", f.who(), f.events())
	}
	for _, sight := range f.Sights {
		if sight.To < f.First && f.First != never {
			out.add("I2", "an outcome before its order was sent", f.who(), f.events())
			return
		}
	}
}

func checkEnded(h *History, u *User, f *Facts, out *Findings) {
	last := u.LastRead()
	if last == nil {
		return
	}
	accepted := slices.ContainsFunc(f.Sendings, func(c *Call) bool {
		return c.Accepted() && c.Return < last.Invoke
	})
	seen := slices.ContainsFunc(f.Sights, func(s Sight) bool { return s.To < last.Invoke })
	switch {
	case f.Listed > 1:
		out.add("I3", "an order is in the ledger twice", f.who(), f.events())
	case f.Final == nil && seen:
		out.add("I1", "an order with an outcome was lost", f.who(), f.events(), last.At)
	case f.Final == nil && accepted && h.Drained:
		out.add("I1", "an accepted order was lost", f.who(), f.events(), last.At)
	case f.Final != nil && !decided(f.Final.Status) && h.Drained:
		out.add("I1", "an order was never decided", f.who(), f.events())
	}
}

// checkStates: all the states that were ever seen lie on one path.
func checkStates(f *Facts, out *Findings) {
	if f.Redriven {
		return
	}
	seen := map[string]bool{}
	for _, sight := range f.Sights {
		if _, known := rank[sight.State]; !known {
			out.add("I1", "an unknown state: "+sight.State, f.who(), sight.At)
			return
		}
		seen[sight.State] = true
	}
	for a := range seen {
		for b := range seen {
			if a < b && !onOnePath(a, b) {
				out.add("I3", "two outcomes of one order", f.who()+": "+a+" and "+b, f.events())
				return
			}
		}
	}
}

func onOnePath(a, b string) bool {
	if rank[a] > rank[b] {
		a, b = b, a
	}
	switch {
	case rank[b] < rankDecided:
		return true
	case rank[b] == rankNoUnits:
		return !decided(a)
	case rank[a] == rank[b]:
		return false
	default:
		return a != "paid" || b == "dispatched" || b == "cancelled"
	}
}

// checkReads: a read that began after a state was seen shows that state or a later one.
func checkReads(f *Facts, out *Findings) {
	if f.Redriven {
		return
	}
	for _, earlier := range f.Sights {
		for _, later := range f.Sights {
			if later.Push || later.From <= earlier.To || rank[later.State] >= rank[earlier.State] {
				continue
			}
			who := fmt.Sprintf("%s: %s after %s", f.who(), later.State, earlier.State)
			out.add("I3", "an order went back", who, earlier.At, later.At)
			return
		}
	}
}

// checkTimes: the reported times fit what the clients' own clock saw.
func checkTimes(h *History, f *Facts, out *Findings) {
	if f.First == never || !h.Steady {
		return
	}
	if at := f.Final.decidedMs(); at != 0 && (at < f.First-clockMs || at > f.To+clockMs) {
		what := "an order was decided before it was sent, or after its outcome was seen"
		out.add("I1", what, f.who(), f.events())
	}
	held := f.GoneBy - f.First
	if f.State == "expired" && h.HoldTTLMs > 0 && held < h.HoldTTLMs-clockMs {
		out.add("I7", "a hold expired early", fmt.Sprintf("%s: %.0f ms", f.who(), held), f.events())
	}
}

// checkBody: the order is one that was sent; within one region, the one acknowledged first.
func checkBody(h *History, f *Facts, out *Findings) {
	if f.Final == nil || f.First == never {
		return
	}
	sent, first := false, false
	for _, sending := range f.Sendings {
		if sending.Refused() || !same(sending.Body, &f.Final.Body) {
			continue
		}
		sent = true
		first = first || !overtaken(f, sending)
	}
	if !sent {
		out.add("I3", "an order has a body that nobody sent", f.who(), f.events())
	} else if !first && !h.Failover {
		out.add("I3", "a later body replaced the acknowledged one", f.who(), f.events())
	}
}

// overtaken: another body was acknowledged in the same region before this one was sent.
func overtaken(f *Facts, sending *Call) bool {
	return slices.ContainsFunc(f.Sendings, func(other *Call) bool {
		return other.Place() != "" && other.Place() == sending.Place() &&
			other.Return < sending.Invoke && !same(other.Body, sending.Body)
	})
}

func same(a, b *Body) bool {
	return a.SaleID == b.SaleID && a.Seq == b.Seq && a.Currency == b.Currency &&
		a.MaxTotal == b.MaxTotal && slices.Equal(byName(a.Lines), byName(b.Lines))
}

func byName(lines []ItemLine) []ItemLine {
	if len(lines) < 2 {
		return lines
	}
	sorted := slices.Clone(lines)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Sku < sorted[j].Sku })
	return sorted
}

func checkCancels(f *Facts, out *Findings) {
	asked := slices.ContainsFunc(f.Cancels, func(c *Call) bool { return !c.Refused() })
	if f.State == "cancelled" && !asked {
		out.add("I7", "an order was cancelled though nobody asked for it", f.who(), f.events())
	}
	if len(f.Pending) > 0 && rank[f.State] < rankNoUnits && decided(f.State) && f.State != "cancelled" {
		what := "an order got units though a cancel was waiting for it"
		out.add("I7", what, f.who()+": "+f.State, f.events(), f.Pending)
	}
}

// checkQueueOrder: of two orders of a user without numbers in one region, the one acknowledged
// before the other was sent is decided first. Orders that may wait for a rate are left out.
func checkQueueOrder(h *History, u *User, orders []*Facts, out *Findings) int {
	if !h.Steady || h.Failover {
		return 0
	}
	var placed []*Facts
	for _, f := range orders {
		if waitsForNothing(h, f) {
			placed = append(placed, f)
		}
	}
	sort.Slice(placed, func(i, j int) bool { return placed[i].First < placed[j].First })
	acks := acksByRegion(placed)
	for _, later := range placed {
		queue := acks[onlyPlace(later)]
		earlier := queue.latestBefore(later.First)
		if earlier != nil && earlier.Final.decidedMs() > later.Final.decidedMs() {
			who := fmt.Sprintf("%s: %s before %s", u.Name, later.ID, earlier.ID)
			what := "an order was decided before one acknowledged earlier"
			out.add("I4", what, who, earlier.events(), later.events())
			break
		}
	}
	return len(placed)
}

func waitsForNothing(h *History, f *Facts) bool {
	if f.First == never || f.Final.decidedMs() == 0 || f.Body.Seq > 0 {
		return false
	}
	sale := h.Sales[f.Body.SaleID]
	return sale != nil && sale.Currency == f.Body.Currency &&
		f.State != "stale" && f.State != "rejected"
}

type ack struct {
	at float64
	by *Facts
}

// queue holds one region's acknowledgements by time, and the latest decision among those read.
type queue struct {
	acks   []ack
	latest *Facts
}

// latestBefore must be asked for times that do not go back.
func (q *queue) latestBefore(at float64) *Facts {
	if q == nil {
		return nil
	}
	for len(q.acks) > 0 && q.acks[0].at < at {
		by := q.acks[0].by
		if q.latest == nil || by.Final.decidedMs() > q.latest.Final.decidedMs() {
			q.latest = by
		}
		q.acks = q.acks[1:]
	}
	return q.latest
}

func acksByRegion(placed []*Facts) map[string]*queue {
	queues := map[string]*queue{}
	for _, f := range placed {
		for _, sending := range f.Sendings {
			place := sending.Place()
			if place == "" {
				continue
			}
			if queues[place] == nil {
				queues[place] = &queue{}
			}
			queues[place].acks = append(queues[place].acks, ack{sending.Return, f})
		}
	}
	for _, q := range queues {
		sort.Slice(q.acks, func(i, j int) bool { return q.acks[i].at < q.acks[j].at })
	}
	return queues
}

// onlyPlace is the region of all sendings that may have had an effect; empty if there may be others.
func onlyPlace(f *Facts) string {
	only := ""
	for _, sending := range f.Sendings {
		if sending.Refused() {
			continue
		}
		place := sending.Place()
		if place == "" || only != "" && place != only {
			return ""
		}
		only = place
	}
	return only
}
