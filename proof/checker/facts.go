package main

// What is known of each order: when it was decided, and when it held units. Everything is an
// interval, since a client knows only when it asked and when it saw.

import "math"

const (
	// clockMs: the system's clocks and the clients' differ by less (docs/guarantees.md).
	clockMs = 1_000
	// returnMs: returned and added units are for sale within this time.
	returnMs = 30_000
	// flagMs: how long a gateway believes that an item is sold out.
	flagMs = 1_000
)

// The states in which an order rests, and how far each is from the start. Two states of one rank
// exclude each other.
var rank = map[string]int{
	"accepted": 0, "parked": 1, "reserved": 2, "paid": 3,
	"dispatched": 4, "cancelled": 4, "payment_failed": 4, "expired": 4,
	"sold_out": 5, "over_limit": 5, "over_max_total": 5, "sale_closed": 5, "unknown_item": 5,
	"fx_unavailable": 5, "superseded": 5, "stale": 5, "rejected": 5,
}

const (
	rankDecided = 2
	rankEnded   = 4
	rankNoUnits = 5
)

func decided(state string) bool { return rank[state] >= rankDecided }

func holds(state string) bool { return rank[state] == 2 || rank[state] == 3 || state == "dispatched" }

// Facts of an order. The decision was made between From and To.
type Facts struct {
	*Order
	// First is when the first sending that may have had an effect began; never without one.
	First    float64
	From, To float64
	// State is the furthest one seen; empty if no state was seen.
	State string
	Body  *Body
	// HeldBy: it had units by then. HeldAt: it still had them then. GoneBy: they were back by then.
	HeldBy, HeldAt, GoneBy float64
	// Sure: it held units. Maybe: it may have held units. Neither: it held none.
	Sure, Maybe bool
	// FreeFrom, FreeTo: when the units came back, at the earliest and at the latest.
	FreeFrom, FreeTo float64
}

func factsOf(h *History, order *Order) *Facts {
	f := &Facts{Order: order, First: never, To: never, HeldBy: never, GoneBy: never, HeldAt: -1}
	for _, sending := range order.Sendings {
		if !sending.Refused() {
			f.First = math.Min(f.First, sending.Invoke)
		}
	}
	for _, sight := range order.Sights {
		f.look(sight)
	}
	f.Body = bodyOf(order)
	f.From = f.First
	f.narrow(h)
	f.hold(h)
	return f
}

func (f *Facts) look(s Sight) {
	if f.State == "" || rank[s.State] > rank[f.State] {
		f.State = s.State
	}
	if decided(s.State) {
		f.To = math.Min(f.To, s.To)
	}
	if holds(s.State) {
		f.HeldBy = math.Min(f.HeldBy, s.To)
		if !s.Push {
			f.HeldAt = math.Max(f.HeldAt, s.From)
		}
	}
	if rank[s.State] == rankEnded && !holds(s.State) {
		f.GoneBy = math.Min(f.GoneBy, s.To)
	}
}

// bodyOf is the body that counts: what a read showed, or else what was sent first.
func bodyOf(order *Order) *Body {
	if order.Final != nil {
		return &order.Final.Body
	}
	if len(order.Sendings) > 0 {
		return order.Sendings[0].Body
	}
	return nil
}

// narrow uses the time of the decision that the server reports, where clocks can be compared. Of a
// redriven order that may be the second decision, and the first one held units long before it.
func (f *Facts) narrow(h *History) {
	at := f.Final.decidedMs()
	if !h.Steady || at == 0 || f.Redriven {
		return
	}
	from, to := math.Max(f.From, at-clockMs), math.Min(f.To, at+clockMs)
	if from <= to {
		f.From, f.To = from, to
	}
}

func (f *Facts) hold(h *History) {
	f.FreeFrom, f.FreeTo = never, never
	switch {
	case f.First == never:
	case f.Redriven:
		f.Maybe = true // whatever its state: an earlier decision may have held units
	case rank[f.State] == rankNoUnits:
	case holds(f.State):
		f.Sure = true
	case rank[f.State] == rankEnded:
		f.Sure = f.State != "cancelled" || f.HeldBy < never
		f.Maybe = !f.Sure
		f.FreeFrom, f.FreeTo = math.Max(f.From, f.freeFrom()), f.GoneBy
	default:
		// Not decided as far as anybody saw. Once all is decided, that means no effect.
		f.Maybe = !h.Drained || f.State != ""
	}
}

// freeFrom: a cancel frees nothing before somebody asked for it.
func (f *Facts) freeFrom() float64 {
	if f.State != "cancelled" {
		return math.Max(f.HeldAt, 0)
	}
	from := never
	for _, cancel := range f.Cancels {
		if !cancel.Refused() {
			from = math.Min(from, cancel.Invoke)
		}
	}
	if from == never {
		from = 0
	}
	return math.Max(from, f.HeldAt)
}

func (f *Facts) who() string { return f.User + " " + f.ID }

// events of the order: its sendings, its cancels, its sights.
func (f *Facts) events() []Where {
	var all []Where
	for _, call := range f.Sendings {
		all = append(all, call.At...)
	}
	for _, call := range f.Cancels {
		all = append(all, call.At...)
	}
	for _, sight := range f.Sights {
		all = append(all, sight.At...)
	}
	return all
}
