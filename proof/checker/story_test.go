package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"testing"
	"time"
)

// Story writes a history for a test. Times are milliseconds from its start.
type Story struct {
	lines []line
	calls int
}

type line map[string]any

const epochMs = 1_800_000_000_000

func clock(t float64) string {
	return time.UnixMilli(epochMs + int64(t)).UTC().Format("2006-01-02T15:04:05.000Z")
}

func newStory() *Story {
	s := &Story{}
	s.add(0, line{"e": "start", "v": 1, "gapTimeoutMs": 30_000, "holdTtlMs": 600_000})
	s.add(1, line{"e": "sale", "id": "s", "currency": "EUR", "items": []line{
		{"sku": "lamp", "units": 3, "limit": 0},
		{"sku": "radio", "units": 50, "limit": 2},
	}})
	return s
}

func (s *Story) add(t float64, l line) {
	l["t"] = epochMs + t
	s.lines = append(s.lines, l)
}

// call adds a call and its answer; with status -1 the answer has no line at all.
func (s *Story) call(from, to float64, members, answer line) {
	s.calls++
	members["e"], members["call"] = "invoke", s.calls
	members["client"], members["via"] = "c", "ws"
	if members["region"] == nil {
		members["region"] = "eu"
	}
	s.add(from, members)
	if answer["status"] == -1 {
		return
	}
	answer["e"], answer["call"] = "return", s.calls
	s.add(to, answer)
}

// want is what an order asks for; seq 0 has no number.
type want struct {
	user, id string
	seq      int
	sku      string
	qty      int
	region   string
}

func (w want) body() line {
	b := line{"saleId": "s", "currency": "EUR", "lines": []line{{"sku": w.sku, "qty": w.qty}}}
	if w.seq > 0 {
		b["seq"] = w.seq
	}
	return b
}

func (s *Story) send(w want, from, to float64, status int, code string) {
	answer := line{"status": status}
	if code != "" {
		answer["code"] = code
	}
	members := line{"op": "order", "user": w.user, "id": w.id, "body": w.body()}
	if w.region != "" {
		members["region"] = w.region
	}
	s.call(from, to, members, answer)
}

func (s *Story) push(t float64, user, id, state string) {
	s.add(t, line{"e": "saw", "client": "c", "via": "push", "user": user, "id": id, "state": state})
}

// shown is an order as a read returns it.
func (w want) shown(state string, decidedAt float64) line {
	shown := w.body()
	shown["id"], shown["user"], shown["status"] = w.id, w.user, state
	shown["decidedAt"] = clock(decidedAt)
	return shown
}

func (s *Story) read(user string, from, to float64, orders ...line) {
	s.call(from, to, line{"op": "orders", "user": user}, line{"status": 200, "orders": orders})
}

// write puts the lines in the order of their times into a file.
func (s *Story) write(t *testing.T) string {
	sort.SliceStable(s.lines, func(i, j int) bool {
		return s.lines[i]["t"].(float64) < s.lines[j]["t"].(float64)
	})
	path := filepath.Join(t.TempDir(), "events.jsonl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, l := range s.lines {
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(file, "%s\n", text)
	}
	return path
}

func (s *Story) check(t *testing.T) *Report {
	h, err := readHistory([]string{s.write(t)})
	if err != nil {
		t.Fatal(err)
	}
	return reportOf(h, check(h))
}

// change edits each line that matches all members.
func (s *Story) change(match, to line) {
	done := false
	for _, l := range s.lines {
		if matches(l, match) {
			done = true
			for name, value := range to {
				l[name] = value
			}
		}
	}
	if !done {
		panic(fmt.Sprint("no line matches ", match))
	}
}

func (s *Story) remove(match line) {
	var kept []line
	for _, l := range s.lines {
		if !matches(l, match) {
			kept = append(kept, l)
		}
	}
	if len(kept) == len(s.lines) {
		panic(fmt.Sprint("no line matches ", match))
	}
	s.lines = kept
}

// answers edits the answers to the calls that match.
func (s *Story) answers(match, to line) {
	for _, l := range s.lines {
		if l["e"] == "invoke" && matches(l, match) {
			s.change(line{"e": "return", "call": l["call"]}, to)
		}
	}
}

// shown edits an order in every read.
func (s *Story) shown(id string, to line) {
	for _, l := range s.lines {
		orders, _ := l["orders"].([]line)
		for _, order := range orders {
			if order["id"] == id {
				for name, value := range to {
					order[name] = value
				}
			}
		}
	}
}

// hide removes an order from every read.
func (s *Story) hide(id string) {
	for _, l := range s.lines {
		orders, _ := l["orders"].([]line)
		var kept []line
		for _, order := range orders {
			if order["id"] != id {
				kept = append(kept, order)
			}
		}
		if orders != nil {
			l["orders"] = kept
		}
	}
}

func matches(l, match line) bool {
	for name, value := range match {
		if l[name] != value {
			return false
		}
	}
	return true
}
