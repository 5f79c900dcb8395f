package main

// A user's numbered orders, as a linearizable object: its state is the number that is due.
//
//	take n       legal if n is due; n+1 is due then
//	late n       (superseded) legal if n has passed
//	pass n       always legal; if n is due, n+1 is due then
//
// An order's take lasts from its first sending until its outcome was seen. A number may be passed
// from the moment it was given up, or once an order behind it has waited for the gap's time-out;
// whether and when it was passed nobody sees, so a pass never ends.

import (
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// maxParked: with this many orders of a user in flight a number may be refused as superseded.
const maxParked = 64

// searchTime bounds the search of one user's numbers or limits.
const searchTime = 5 * time.Second

type step struct {
	kind    string
	seq     int
	excused bool
	events  []Where
	who     string
}

var numbersModel = porcupine.Model{
	Init: func() interface{} { return 1 },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		due, s := state.(int), input.(step)
		switch {
		case s.kind == "late":
			return s.excused || s.seq < due, due
		case s.seq == due:
			return true, due + 1
		default:
			return s.kind == "pass", due
		}
	},
}

// checkNumbers judges each sale in which the user has numbers. Returns how many operations it had.
func checkNumbers(h *History, u *User, orders []*Facts, out *Findings) int {
	bySale := map[string][]*Facts{}
	for _, f := range orders {
		if f.Body != nil && f.Body.Seq > 0 && f.First < never {
			bySale[f.Body.SaleID] = append(bySale[f.Body.SaleID], f)
		}
	}
	total := 0
	for sale, numbered := range bySale {
		ops := numberOps(h, u, sale, numbered)
		total += len(ops)
		linearize(numbersModel, ops, finding{
			"I4", "a user's numbers were not decided in order", u.Name + " in " + sale,
		}, out)
		if h.Steady {
			checkReportedOrder(u, numbered, out)
		}
	}
	return total
}

func numberOps(h *History, u *User, sale string, numbered []*Facts) []porcupine.Operation {
	var ops []porcupine.Operation
	taken := map[int]bool{}
	highest := 0
	for _, f := range numbered {
		highest = max(highest, f.Body.Seq)
		if takesNumber(f.State) {
			taken[f.Body.Seq] = true
		}
	}
	for _, f := range numbered {
		s := step{seq: f.Body.Seq, events: f.events(), who: f.ID}
		switch {
		case takesNumber(f.State):
			s.kind = "take"
		case f.State == "superseded":
			s.kind, s.excused = "late", crowded(f, numbered)
		default:
			continue
		}
		ops = append(ops, operation(s, f.From, f.To))
	}
	from := passTimes(h, u, sale, highest, numbered)
	for seq := 1; seq <= highest; seq++ {
		if !taken[seq] && from[seq] < never {
			ops = append(ops, operation(step{kind: "pass", seq: seq}, from[seq], never))
		}
	}
	return ops
}

// takesNumber: the order was decided when its number was due. An order that was too old, that could
// not be read, or whose sale is long gone uses up a number only if it is due.
func takesNumber(state string) bool {
	switch state {
	case "superseded", "stale", "rejected", "sale_closed":
		return false
	}
	return decided(state)
}

// crowded: another order had the same number, or too many were in flight.
func crowded(f *Facts, numbered []*Facts) bool {
	inFlight := 0
	for _, other := range numbered {
		if other == f || other.First > f.To {
			continue
		}
		if other.Body.Seq == f.Body.Seq {
			return true
		}
		if other.To > f.From {
			inFlight++
		}
	}
	return inFlight >= maxParked
}

// passTimes: the earliest moment at which each number may have been passed over.
func passTimes(h *History, u *User, sale string, highest int, numbered []*Facts) []float64 {
	times := make([]float64, highest+2)
	for seq := range times {
		times[seq] = never
	}
	// The gap before an order, or before a number given up, ends a time-out after that came. It
	// counts for every number below.
	wait := func(seq int, from float64) {
		below := min(seq, highest+1) - 1
		times[below] = math.Min(times[below], from+h.GapTimeoutMs-clockMs)
	}
	for _, f := range numbered {
		wait(f.Body.Seq, f.First)
	}
	for _, skip := range u.Skips {
		if skip.SaleID == sale && !skip.Refused() {
			wait(skip.Seq, skip.Invoke)
		}
	}
	for seq := highest; seq >= 0; seq-- {
		times[seq] = math.Min(times[seq], times[seq+1])
	}
	for _, f := range numbered {
		if seq := f.Body.Seq; !takesNumber(f.State) && f.State != "superseded" {
			times[seq] = math.Min(times[seq], f.First)
		}
	}
	for _, skip := range u.Skips {
		if skip.SaleID == sale && skip.Seq <= highest && !skip.Refused() {
			times[skip.Seq] = math.Min(times[skip.Seq], skip.Invoke)
		}
	}
	return times
}

// checkReportedOrder: the reported times of the decisions follow the numbers.
func checkReportedOrder(u *User, numbered []*Facts, out *Findings) {
	var timed []*Facts
	for _, f := range numbered {
		if takesNumber(f.State) && f.Final.decidedMs() > 0 {
			timed = append(timed, f)
		}
	}
	sort.SliceStable(timed, func(i, j int) bool { return timed[i].Body.Seq < timed[j].Body.Seq })
	for i := 1; i < len(timed); i++ {
		before, after := timed[i-1], timed[i]
		if before.Final.decidedMs() > after.Final.decidedMs() {
			who := fmt.Sprintf("%s: %d after %d", u.Name, before.Body.Seq, after.Body.Seq)
			out.add("I4", "a number was decided before a lower one", who, before.events(), after.events())
			return
		}
	}
}

type finding struct{ invariant, what, who string }

func operation(s step, from, to float64) porcupine.Operation {
	op := porcupine.Operation{Input: s, Call: int64(from * 1000), Return: math.MaxInt64}
	if to < never {
		op.Return = max(op.Call, int64(to*1000))
	}
	return op
}

// linearize searches an order of the operations that the model allows. Without one, the finding
// names the operations that no order could place.
func linearize(model porcupine.Model, ops []porcupine.Operation, found finding, out *Findings) {
	switch porcupine.CheckOperationsTimeout(model, ops, searchTime) {
	case porcupine.Unknown:
		out.undecided("searches that took too long", 1)
	case porcupine.Illegal:
		_, info := porcupine.CheckOperationsVerbose(model, ops, searchTime)
		left := unplaced(ops, info)
		var events []Where
		for _, s := range left {
			events = append(events, s.events...)
			found.who += fmt.Sprintf("; %s %d %s", s.kind, s.seq, s.who)
		}
		out.add(found.invariant, found.what, found.who, events)
	}
}

// unplaced are the first operations that the longest partial order leaves out.
func unplaced(ops []porcupine.Operation, info porcupine.LinearizationInfo) []step {
	var longest []int
	for _, partition := range info.PartialLinearizations() {
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	placed := map[int]bool{}
	for _, id := range longest {
		placed[id] = true
	}
	var left []step
	for id, op := range ops {
		if s := op.Input.(step); !placed[id] && s.kind != "pass" {
			left = append(left, s)
		}
	}
	sort.SliceStable(left, func(i, j int) bool { return left[i].seq < left[j].seq })
	return left[:min(len(left), 3)]
}
