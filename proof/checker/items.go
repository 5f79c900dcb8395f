package main

// One item: its units are never oversold, and nobody is refused while they lie free. Hundreds of
// thousands of orders overlap here, too many to search for an order of them. Two sweeps over time
// decide instead: one adds up what was certainly held at each moment, one what may have been.
//
//	oversold     at some moment more was certainly held than there may have been
//	refused      at every moment of the call more was certainly free than the order wanted
//
// An order of several items may be refused for any of them, so it was refused wrongly only if all
// of them were free all the time.

import (
	"fmt"
	"math"
	"math/bits"
	"sort"
)

type change struct {
	at    float64
	units int
	by    *Facts
}

// Shelf is an item with what happened to its units.
type Shelf struct {
	sku        string
	units      int
	sure       []change
	possible   []change
	everAdded  []change
	surelyBack []change
	taken      *peaks
}

// checkItems returns how many refusals it judged.
func checkItems(h *History, orders []*Facts, out *Findings) (items, refusals int) {
	shelves := map[string]*Shelf{}
	for _, sale := range h.Sales {
		for sku, item := range sale.Items {
			shelves[sale.ID+" "+sku] = &Shelf{sku: sku, units: item.Units}
		}
	}
	restock(h, shelves)
	correct(h, shelves)
	for _, f := range orders {
		hold(h, shelves, f)
	}
	for _, shelf := range shelves {
		shelf.oversold(out)
	}
	if !h.Whole {
		return len(shelves), 0
	}
	for _, shelf := range shelves {
		shelf.taken = newPeaks(append(shelf.possible, shelf.surelyBack...))
	}
	for _, f := range orders {
		refusals += judgeRefusals(shelves, f, out)
	}
	return len(shelves), refusals
}

// restock: added units may be there once asked for; they certainly are a while after the answer.
func restock(h *History, shelves map[string]*Shelf) {
	asked, answered := map[string]bool{}, map[string]bool{}
	for _, call := range h.Restocks {
		shelf := shelves[call.SaleID+" "+call.Sku]
		if shelf == nil || call.Refused() {
			continue
		}
		if !asked[call.Ref] {
			asked[call.Ref] = true
			shelf.everAdded = append(shelf.everAdded, change{at: call.Invoke, units: -call.Units})
		}
		if call.Accepted() && !answered[call.Ref] {
			answered[call.Ref] = true
			back := change{at: call.Return + returnMs, units: -call.Units}
			shelf.surelyBack = append(shelf.surelyBack, back)
		}
	}
}

// correct: units taken away may be gone once asked for; they certainly are after an answer of 200. A
// refused correction may have kept them back for a while.
func correct(h *History, shelves map[string]*Shelf) {
	asked, gone := map[string]bool{}, map[string]bool{}
	for _, call := range h.Corrections {
		shelf := shelves[call.SaleID+" "+call.Sku]
		if shelf == nil {
			continue
		}
		until := never
		if call.Refused() {
			until = call.Return + returnMs
		}
		if !asked[call.Ref] {
			asked[call.Ref] = !call.Refused()
			shelf.possible = append(shelf.possible, span(call.Invoke, until, call.Units, nil)...)
		}
		if call.Status == 200 && !gone[call.Ref] {
			gone[call.Ref] = true
			shelf.sure = append(shelf.sure, change{at: call.Return, units: call.Units})
		}
	}
}

func hold(h *History, shelves map[string]*Shelf, f *Facts) {
	if f.Body == nil || f.First == never {
		return
	}
	for _, line := range f.Body.Lines {
		shelf := shelves[f.Body.SaleID+" "+line.Sku]
		if shelf == nil {
			continue
		}
		if f.Sure && f.To < f.FreeFrom {
			shelf.sure = append(shelf.sure, span(f.To, f.FreeFrom, line.Qty, f)...)
		}
		switch {
		case h.RedisLost:
			// A decision that Redis lost may have held units until it was made again.
			until := f.FreeTo
			if !f.Sure && !f.Maybe {
				until = f.To
			}
			shelf.possible = append(shelf.possible, span(f.First, until+returnMs, line.Qty, f)...)
		case f.Sure || f.Maybe:
			shelf.possible = append(shelf.possible, span(f.From, f.FreeTo+returnMs, line.Qty, f)...)
		}
	}
}

func span(from, to float64, units int, f *Facts) []change {
	changes := []change{{from, units, f}}
	if to < never {
		changes = append(changes, change{to, -units, f})
	}
	return changes
}

func (s *Shelf) oversold(out *Findings) {
	changes := append(append([]change(nil), s.sure...), s.everAdded...)
	sort.SliceStable(changes, func(i, j int) bool {
		a, b := changes[i], changes[j]
		return a.at < b.at || a.at == b.at && a.units < b.units
	})
	held := 0
	for _, c := range changes {
		held += c.units
		if held > s.units && c.units > 0 {
			what := fmt.Sprintf("an item with %d units was oversold", s.units)
			if c.by == nil {
				out.add("I5", what, fmt.Sprintf("%s: %d held or taken away", s.sku, held), nil)
				return
			}
			who := fmt.Sprintf("%s: %d held, %d of them by %s", s.sku, held, c.units, c.by.who())
			out.add("I5", what, who, c.by.events())
			return
		}
	}
}

func judgeRefusals(shelves map[string]*Shelf, f *Facts, out *Findings) int {
	judged := 0
	if f.State == "sold_out" && !f.Redriven && f.First < never {
		judged++
		if left := free(shelves, f.Body, f.From, f.To, 0); left != "" {
			what := "an order was refused as sold out though there was stock"
			out.add("I5", what, f.who()+": "+left, f.events())
		}
	}
	for _, call := range f.Sendings {
		if call.Status != 409 || call.Code != "sold_out" {
			continue
		}
		judged++
		if left := free(shelves, call.Body, call.Invoke-flagMs, call.Return, 1); left != "" {
			what := "a gateway refused an item as sold out though there was stock"
			out.add("I5", what, f.who()+": "+left, call.At)
		}
	}
	return judged
}

// free says what was left of each item if all of them were free from one moment to the other:
// `most` units of each if it is above zero, or else what the order wanted. Empty if one was not.
func free(shelves map[string]*Shelf, body *Body, from, to float64, most int) string {
	text := ""
	for _, line := range body.Lines {
		shelf := shelves[body.SaleID+" "+line.Sku]
		if shelf == nil {
			return ""
		}
		wanted := line.Qty
		if most > 0 {
			wanted = most
		}
		left := shelf.units - shelf.taken.highest(from, to)
		if left < wanted {
			return ""
		}
		text += fmt.Sprintf("at least %d of %s; ", left, line.Sku)
	}
	return text
}

// peaks answers how high a running sum rose between two moments.
type peaks struct {
	at     []float64
	levels [][]int
}

func newPeaks(changes []change) *peaks {
	sort.Slice(changes, func(i, j int) bool {
		a, b := changes[i], changes[j]
		return a.at < b.at || a.at == b.at && a.units > b.units
	})
	p := &peaks{at: []float64{math.Inf(-1)}}
	sums := []int{0}
	for _, c := range changes {
		p.at = append(p.at, c.at)
		sums = append(sums, sums[len(sums)-1]+c.units)
	}
	p.levels = [][]int{sums}
	for width := 1; 2*width <= len(sums); width *= 2 {
		last := p.levels[len(p.levels)-1]
		next := make([]int, len(sums)-2*width+1)
		for i := range next {
			next[i] = max(last[i], last[i+width])
		}
		p.levels = append(p.levels, next)
	}
	return p
}

func (p *peaks) highest(from, to float64) int {
	// The sum before a change at `from` counts as well: both may have been at that moment.
	first := sort.SearchFloat64s(p.at, from) - 1
	last := sort.Search(len(p.at), func(i int) bool { return p.at[i] > to }) - 1
	first, last = max(first, 0), max(last, max(first, 0))
	level := bits.Len(uint(last-first+1)) - 1
	row := p.levels[level]
	return max(row[first], row[last-1<<level+1])
}
