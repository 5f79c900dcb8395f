package main

import (
	"sort"
	"sync"
)

// Finding is a promise that the history breaks, with the lines that show it.
type Finding struct {
	Invariant string   `json:"invariant"`
	What      string   `json:"what"`
	Who       string   `json:"who"`
	Events    []Where  `json:"-"`
	Quotes    []string `json:"events,omitempty"`
}

// Findings collects what the checks find. Checks run side by side.
type Findings struct {
	mutex  sync.Mutex
	All    []Finding
	Counts map[string]int
	// Undecided: parts of the history that no check could judge, with the reason.
	Undecided map[string]int
}

func newFindings() *Findings {
	return &Findings{Counts: map[string]int{}, Undecided: map[string]int{}}
}

func (f *Findings) add(invariant, what, who string, events ...[]Where) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	found := Finding{Invariant: invariant, What: what, Who: who}
	for _, each := range events {
		found.Events = append(found.Events, each...)
	}
	f.All = append(f.All, found)
}

func (f *Findings) count(what string, n int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.Counts[what] += n
}

func (f *Findings) undecided(why string, n int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if n > 0 {
		f.Undecided[why] += n
	}
}

// sorted returns the findings in the order of their first event.
func (f *Findings) sorted() []Finding {
	sort.SliceStable(f.All, func(i, j int) bool { return before(f.All[i], f.All[j]) })
	return f.All
}

func before(a, b Finding) bool {
	if len(a.Events) == 0 || len(b.Events) == 0 {
		return len(a.Events) < len(b.Events)
	}
	x, y := earliest(a.Events), earliest(b.Events)
	if x.File != y.File {
		return x.File < y.File
	}
	return x.Line < y.Line
}

func earliest(events []Where) Where {
	first := events[0]
	for _, at := range events[1:] {
		if at.File < first.File || at.File == first.File && at.Line < first.Line {
			first = at
		}
	}
	return first
}
