// Checks a history of Sluice's clients by a model of a few lines, without Sluice's code and without
// its stores. docs/history.md is the format, docs/guarantees.md has the promises.
//
//	check-history [--json] FILE…
//
// Exit code 0: no promise was broken; 1: one was; 2: not everything could be judged; 3: a file
// cannot be read.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
)

const (
	exitPass = iota
	exitViolations
	exitInconclusive
	exitUnreadable
)

func main() {
	asJSON := flag.Bool("json", false, "print one JSON object")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: check-history [--json] FILE…")
		os.Exit(exitUnreadable)
	}
	// A history is read once and kept: collecting garbage seldom halves the time.
	debug.SetGCPercent(400)
	h, err := readHistory(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "check-history:", err)
		os.Exit(exitUnreadable)
	}
	report := reportOf(h, check(h))
	if *asJSON {
		text, _ := json.Marshal(report)
		fmt.Println(string(text))
	} else {
		fmt.Print(report.text())
	}
	os.Exit(report.exitCode())
}

// check runs every check. Users are judged side by side, items at the end.
func check(h *History) *Findings {
	out := newFindings()
	sort.Strings(h.Names)
	facts := make([][]*Facts, len(h.Names))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range next {
				facts[i] = checkUser(h, h.Users[h.Names[i]], out)
			}
		}()
	}
	for i := range h.Names {
		next <- i
	}
	close(next)
	workers.Wait()
	var orders []*Facts
	for _, own := range facts {
		orders = append(orders, own...)
	}
	items, refusals := checkItems(h, orders, out)
	out.count("items", items)
	out.count("refusals", refusals)
	if !h.Whole {
		out.undecided("files without an end", 1)
	} else if !h.Drained {
		out.undecided("histories that end before everything was decided", 1)
	}
	return out
}

func checkUser(h *History, u *User, out *Findings) []*Facts {
	var orders []*Facts
	for _, order := range u.Orders {
		f := factsOf(h, order)
		orders = append(orders, f)
		checkLife(h, u, f, out)
	}
	if u.LastRead() == nil && len(orders) > 0 {
		out.undecided("users whose orders nobody read at the end", 1)
	}
	out.count("numbers", checkNumbers(h, u, orders, out))
	out.count("limits", checkLimits(h, u, orders, out))
	out.count("sequences", checkQueueOrder(h, u, orders, out))
	out.count("orders", len(orders))
	return orders
}

type Report struct {
	Result     string         `json:"result"`
	Violations int            `json:"violations"`
	Users      int            `json:"users"`
	Items      int            `json:"items"`
	Orders     int            `json:"orders"`
	Calls      int            `json:"calls"`
	Lines      int            `json:"lines"`
	Unknown    int            `json:"unknown"`
	Numbers    int            `json:"numbers"`
	Limits     int            `json:"limits"`
	Sequences  int            `json:"sequences"`
	Refusals   int            `json:"refusals"`
	Undecided  map[string]int `json:"undecided"`
	Findings   []Finding      `json:"findings"`
}

const (
	mostFindings = 10
	mostEvents   = 12
)

func reportOf(h *History, out *Findings) *Report {
	// An empty list, not null, is what readers of the JSON expect.
	found := append([]Finding{}, out.sorted()...)
	r := &Report{
		Result: "pass", Violations: len(found), Users: len(h.Names), Calls: h.Calls,
		Lines: h.Lines, Unknown: h.Unknown, Items: out.Counts["items"],
		Orders: out.Counts["orders"], Numbers: out.Counts["numbers"],
		Limits: out.Counts["limits"], Sequences: out.Counts["sequences"],
		Refusals: out.Counts["refusals"], Undecided: out.Undecided,
		Findings: found[:min(len(found), mostFindings)],
	}
	if len(out.Undecided) > 0 {
		r.Result = "inconclusive"
	}
	if len(found) > 0 {
		r.Result = "violations"
	}
	r.quote(h.Paths)
	return r
}

// quote adds the text of the lines that show each finding.
func (r *Report) quote(paths []string) {
	wanted := map[Where]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		sort.Slice(f.Events, func(a, b int) bool {
			x, y := f.Events[a], f.Events[b]
			return x.File < y.File || x.File == y.File && x.Line < y.Line
		})
		f.Events = f.Events[:min(len(f.Events), mostEvents)]
		for _, at := range f.Events {
			wanted[at] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	texts := quote(paths, wanted)
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, at := range f.Events {
			f.Quotes = append(f.Quotes, fmt.Sprintf("line %d: %s", at.Line, texts[at]))
		}
	}
}

func (r *Report) exitCode() int {
	switch r.Result {
	case "pass":
		return exitPass
	case "violations":
		return exitViolations
	default:
		return exitInconclusive
	}
}

func (r *Report) text() string {
	var b strings.Builder
	row := func(name, format string, values ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", name, fmt.Sprintf(format, values...))
	}
	row("history", "%d lines: %d users, %d items, %d orders, %d calls, %d of them unknown",
		r.Lines, r.Users, r.Items, r.Orders, r.Calls, r.Unknown)
	row("searched", "%d steps of users' numbers, %d of their limits", r.Numbers, r.Limits)
	row("scanned", "%d orders' lives, %d in the order of a queue, %d refusals, %d items' units",
		r.Orders, r.Sequences, r.Refusals, r.Items)
	for why, n := range r.Undecided {
		row("not judged", "%d %s", n, why)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  ✗ %s  %s\n       %s\n", f.Invariant, f.What, f.Who)
		for _, text := range f.Quotes {
			fmt.Fprintf(&b, "       %s\n", text)
		}
	}
	ends := map[string]string{
		"pass":         "✓ no promise was broken",
		"violations":   fmt.Sprintf("✗ %d violations", r.Violations),
		"inconclusive": "… inconclusive: no promise was broken, but not everything could be judged",
	}
	fmt.Fprintf(&b, "\n  %s\n", ends[r.Result])
	return b.String()
}
