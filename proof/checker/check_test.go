package main

import (
	"os"
	"strings"
	"testing"
)

var (
	a1 = want{user: "ann", id: "a1", seq: 1, sku: "lamp", qty: 1}
	a2 = want{user: "ann", id: "a2", seq: 2, sku: "radio", qty: 1}
	a3 = want{user: "ann", id: "a3", seq: 3, sku: "radio", qty: 1}
	a4 = want{user: "ann", id: "a4", seq: 4, sku: "radio", qty: 1}
	b1 = want{user: "bob", id: "b1", sku: "lamp", qty: 2}
	b2 = want{user: "bob", id: "b2", sku: "lamp", qty: 1}
	b3 = want{user: "bob", id: "b3", sku: "radio", qty: 2}
	b4 = want{user: "bob", id: "b4", sku: "radio", qty: 1}
	b5 = want{user: "bob", id: "b5", sku: "lamp", qty: 1}
	b6 = want{user: "bob", id: "b6", sku: "lamp", qty: 1}
	b7 = want{user: "bob", id: "b7", sku: "lamp", qty: 1}
	c1 = want{user: "cyd", id: "c1", sku: "radio", qty: 2}
	c2 = want{user: "cyd", id: "c2", sku: "radio", qty: 1}
	c3 = want{user: "cyd", id: "c3", sku: "lamp", qty: 1}
	c4 = want{user: "cyd", id: "c4", sku: "radio", qty: 1}
	c5 = want{user: "cyd", id: "c5", sku: "radio", qty: 1}
	d1 = want{user: "dan", id: "d1", sku: "radio", qty: 1}
	d2 = want{user: "dan", id: "d2", sku: "lamp", qty: 1}
)

// truth is a history that breaks no promise, with every kind of call and of answer.
func truth() *Story {
	s := newStory()
	// Ann numbers her orders: 2 comes before 1, 3 is given up and ordered after all.
	s.send(a2, 100, 110, 202, "")
	s.push(130, "ann", "a2", "parked")
	s.send(a1, 200, 210, 202, "")
	s.push(230, "ann", "a1", "reserved")
	s.push(231, "ann", "a2", "reserved")
	s.call(300, 310, line{"op": "skip", "user": "ann", "saleId": "s", "seq": 3}, line{"status": 202})
	s.send(a4, 320, 330, 202, "")
	s.push(350, "ann", "a4", "reserved")
	s.send(a3, 400, 410, 202, "")
	s.push(420, "ann", "a3", "superseded")
	s.push(900, "ann", "a4", "payment_failed")
	// Bob takes the last lamps and is refused more; an answer was lost, another never came.
	s.send(b1, 500, 510, 202, "")
	s.push(520, "bob", "b1", "reserved")
	s.send(b2, 5_000, 5_010, 202, "")
	s.push(5_020, "bob", "b2", "sold_out")
	s.send(b3, 5_100, 5_200, 0, "lost")
	s.send(b3, 5_300, 5_310, 202, "")
	s.push(5_320, "bob", "b3", "reserved")
	s.send(b4, 8_000, 8_010, 202, "")
	s.push(8_020, "bob", "b4", "over_limit")
	s.send(b5, 9_000, 0, -1, "")
	s.send(b6, 9_100, 9_200, 503, "unconfirmed")
	s.send(b7, 9_300, 9_310, 502, "")
	// Cyd cancels one order after and one before it comes; a gateway refuses a lamp.
	s.send(c1, 600, 610, 202, "")
	s.push(620, "cyd", "c1", "reserved")
	cancelled := line{"status": 200, "state": "cancelled"}
	s.call(700, 720, line{"op": "cancel", "user": "cyd", "id": "c1"}, cancelled)
	s.call(800, 810, line{"op": "cancel", "user": "cyd", "id": "c2"}, line{"status": 202})
	s.push(830, "cyd", "c2", "cancel_pending")
	s.send(c2, 1_000, 1_010, 202, "")
	s.push(1_030, "cyd", "c2", "cancelled")
	s.send(c3, 6_000, 6_001, 409, "sold_out")
	altered := c4
	altered.qty = 2
	s.send(c4, 1_200, 1_210, 202, "")
	s.send(altered, 1_300, 1_310, 202, "")
	s.push(1_320, "cyd", "c4", "reserved")
	s.send(c5, 2_000, 2_001, 503, "shed")
	s.send(c5, 2_100, 2_110, 202, "")
	s.push(2_120, "cyd", "c5", "reserved")
	// An operator takes units away, and is refused others.
	taken := line{"op": "correct", "saleId": "s", "sku": "radio", "units": 5, "ref": "c1"}
	s.call(2_500, 2_510, taken, line{"status": 200})
	refused := line{"op": "correct", "saleId": "s", "sku": "lamp", "units": 9, "ref": "c2"}
	s.call(2_520, 2_530, refused, line{"status": 409})
	// Dan sees an order in a read on its way; another order is in another region.
	s.send(d1, 3_000, 3_010, 202, "")
	s.read("dan", 3_500, 3_510, d1.shown("paid", 3_020))
	d2.region = "us"
	s.send(d2, 6_500, 6_510, 202, "")
	s.read("ann", 60_000, 60_010, a1.shown("dispatched", 225), a2.shown("paid", 225),
		a3.shown("superseded", 415), a4.shown("payment_failed", 340))
	s.read("bob", 60_100, 60_110, b1.shown("dispatched", 515), b2.shown("sold_out", 5_015),
		b3.shown("dispatched", 5_250), b4.shown("over_limit", 8_015),
		b5.shown("sold_out", 9_015), b7.shown("sold_out", 9_305))
	s.read("cyd", 60_200, 60_210, c1.shown("cancelled", 615), c2.shown("cancelled", 1_020),
		c4.shown("dispatched", 1_215), c5.shown("dispatched", 2_115))
	s.read("dan", 60_300, 60_310, d1.shown("dispatched", 3_020), d2.shown("sold_out", 6_520))
	s.add(61_000, line{"e": "end", "drained": true, "clock": "steady"})
	return s
}

func TestTrueHistoryWithUnknownAnswersPasses(t *testing.T) {
	report := truth().check(t)
	if report.Result != "pass" {
		t.Fatal(report.text())
	}
	if report.Unknown != 4 || report.Orders != 18 || report.Refusals != 5 {
		t.Fatal(report.text())
	}
}

type lie struct {
	name string
	plan func(*Story)
	// what is part of the finding.
	what string
}

var lies = []lie{
	{"two effects", func(s *Story) { s.push(6_000, "bob", "b1", "sold_out") }, "two outcomes"},
	{"listed twice", func(s *Story) {
		for _, l := range s.lines {
			if orders, _ := l["orders"].([]line); len(orders) > 0 && orders[0]["id"] == "b1" {
				l["orders"] = append(orders, b1.shown("dispatched", 515))
			}
		}
	}, "in the ledger twice"},
	{"reordered decisions, as reported", func(s *Story) {
		s.shown("a1", line{"decidedAt": clock(226)})
		s.shown("a2", line{"decidedAt": clock(225)})
	}, "a number was decided before a lower one"},
	{"reordered decisions, as seen", func(s *Story) {
		s.change(line{"id": "a2", "state": "parked"}, line{"state": "reserved"})
		s.shown("a2", line{"decidedAt": clock(225)})
	}, "a user's numbers were not decided in order"},
	{"oversold by one", func(s *Story) {
		s.change(line{"id": "b2", "state": "sold_out"}, line{"state": "reserved"})
		s.shown("b2", line{"status": "dispatched"})
	}, "was oversold"},
	{"sold out while stock was free", func(s *Story) {
		s.shown("b5", line{"lines": []line{{"sku": "radio", "qty": 1}}})
		s.change(line{"op": "order", "id": "b5"}, line{"body": c5.body()})
	}, "refused as sold out though there was stock"},
	{"sold out too early", func(s *Story) {
		s.send(want{user: "dan", id: "d3", sku: "lamp", qty: 1}, 120, 125, 202, "")
		s.push(140, "dan", "d3", "sold_out")
		s.read("dan", 60_400, 60_410, d1.shown("dispatched", 3_020), d2.shown("sold_out", 6_520),
			want{user: "dan", id: "d3", sku: "lamp", qty: 1}.shown("sold_out", 130))
	}, "refused as sold out though there was stock"},
	{"an accepted order is gone", func(s *Story) {
		s.hide("d2")
	}, "an accepted order was lost"},
	{"an outcome is gone", func(s *Story) { s.hide("b4") }, "an order with an outcome was lost"},
	{"never decided", func(s *Story) {
		s.shown("d2", line{"status": "accepted"})
	}, "never decided"},
	{"a cancelled order was dispatched", func(s *Story) {
		s.shown("c1", line{"status": "dispatched"})
	}, "two outcomes"},
	{"the outcome changed", func(s *Story) {
		s.shown("a4", line{"status": "dispatched"})
	}, "two outcomes"},
	{"the state went back", func(s *Story) {
		for _, l := range s.lines {
			if orders, _ := l["orders"].([]line); len(orders) > 1 && orders[0]["id"] == "d1" {
				orders[0]["status"] = "reserved"
			}
		}
	}, "an order went back"},
	{"a number skipped without being given up", func(s *Story) {
		s.change(line{"op": "skip", "seq": 3}, line{"seq": 9})
	}, "a user's numbers were not decided in order"},
	{"superseded though due", func(s *Story) {
		s.change(line{"id": "a1", "state": "reserved"}, line{"state": "superseded"})
		s.shown("a1", line{"status": "superseded"})
	}, "a user's numbers were not decided in order"},
	{"superseded though nothing has passed", func(s *Story) {
		first := want{user: "eve", id: "e1", seq: 1, sku: "radio", qty: 1}
		s.send(first, 100, 110, 202, "")
		s.read("eve", 60_400, 60_410, first.shown("superseded", 120))
	}, "a user's numbers were not decided in order"},
	{"a gap that nobody waited for", func(s *Story) {
		second := want{user: "eve", id: "e2", seq: 2, sku: "radio", qty: 1}
		s.send(second, 100, 110, 202, "")
		s.push(130, "eve", "e2", "reserved")
		s.read("eve", 60_400, 60_410, second.shown("dispatched", 120))
	}, "a user's numbers were not decided in order"},
	{"two orders under one number", func(s *Story) {
		for i, id := range []string{"e1", "e2"} {
			order := want{user: "eve", id: id, seq: 1, sku: "radio", qty: 1}
			s.send(order, float64(100*i), float64(100*i+10), 202, "")
			s.push(float64(100*i+20), "eve", id, "reserved")
		}
	}, "a user's numbers were not decided in order"},
	{"nobody submitted it", func(s *Story) {
		var call any
		for _, l := range s.lines {
			if l["op"] == "order" && l["id"] == "b4" {
				call = l["call"]
			}
		}
		s.remove(line{"call": call})
	}, "an order that nobody submitted"},
	{"another user's order", func(s *Story) {
		s.shown("d1", line{"user": "cyd"})
	}, "a user read another user's order"},
	{"a refused order had an effect", func(s *Story) {
		s.answers(line{"id": "d2"}, line{"status": 503, "code": "shed"})
	}, "a refused order had an effect"},
	{"units sold that were taken away", func(s *Story) {
		s.call(20, 30, line{"op": "correct", "saleId": "s", "sku": "lamp", "units": 3, "ref": "c"},
			line{"status": 200})
	}, "oversold"},
	{"over the limit", func(s *Story) {
		s.change(line{"id": "b4", "state": "over_limit"}, line{"state": "reserved"})
		s.shown("b4", line{"status": "dispatched"})
	}, "a limit was exceeded"},
	{"refused within the limit", func(s *Story) {
		s.change(line{"id": "c4", "state": "reserved"}, line{"state": "over_limit"})
		s.shown("c4", line{"status": "over_limit"})
	}, "refused within it"},
	{"refused for units that were back", func(s *Story) {
		failed := want{user: "eve", id: "e1", sku: "radio", qty: 2}
		s.send(failed, 100, 110, 202, "")
		s.push(900, "eve", "e1", "payment_failed")
		refused := want{user: "eve", id: "e2", sku: "radio", qty: 1}
		s.send(refused, 5_000, 5_010, 202, "")
		s.push(5_030, "eve", "e2", "over_limit")
		s.read("eve", 60_400, 60_410, failed.shown("payment_failed", 120),
			refused.shown("over_limit", 5_020))
	}, "refused within it"},
	{"cancelled by nobody", func(s *Story) {
		s.change(line{"id": "c5", "state": "reserved"}, line{"state": "cancelled"})
		s.shown("c5", line{"status": "cancelled"})
	}, "nobody asked for it"},
	{"cancelled though the cancel was refused", func(s *Story) {
		s.call(2_200, 2_210, line{"op": "cancel", "user": "cyd", "id": "c5"},
			line{"status": 409, "code": "too_late"})
		s.shown("c5", line{"status": "cancelled"})
	}, "nobody asked for it"},
	{"a waiting cancel was ignored", func(s *Story) {
		s.change(line{"id": "c2", "state": "cancelled"}, line{"state": "reserved"})
		s.shown("c2", line{"status": "dispatched"})
	}, "a cancel was waiting"},
	{"the second body counted", func(s *Story) {
		s.shown("c4", line{"lines": []line{{"sku": "radio", "qty": 2}}})
	}, "a later body replaced"},
	{"a body that nobody sent", func(s *Story) {
		s.shown("c4", line{"lines": []line{{"sku": "radio", "qty": 3}}})
	}, "a body that nobody sent"},
	{"a gateway refused what it had", func(s *Story) {
		s.change(line{"op": "order", "id": "c3"}, line{"body": c5.body()})
	}, "a gateway refused"},
	{"overtaken in its queue", func(s *Story) {
		s.shown("c4", line{"decidedAt": clock(2_200)})
	}, "decided before one acknowledged earlier"},
	{"an outcome before the order", func(s *Story) {
		s.push(5_090, "bob", "b3", "reserved")
	}, "an outcome before its order was sent"},
	{"decided at an impossible time", func(s *Story) {
		s.shown("d2", line{"decidedAt": clock(500)})
	}, "decided before it was sent"},
	{"expired early", func(s *Story) {
		s.change(line{"id": "a4", "state": "payment_failed"}, line{"state": "expired"})
		s.shown("a4", line{"status": "expired"})
	}, "a hold expired early"},
	{"a state that does not exist", func(s *Story) {
		s.shown("d2", line{"status": "lost"})
	}, "an unknown state"},
}

func TestEachLieIsFound(t *testing.T) {
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			s := truth()
			lie.plan(s)
			report := s.check(t)
			for _, found := range report.Findings {
				if strings.Contains(found.What, lie.what) && len(found.Quotes) > 0 {
					return
				}
			}
			t.Fatalf("not found: %s\n%s", lie.what, report.text())
		})
	}
}

// A gap lasts as long behind a number that was given up as behind an order.
func TestAGapIsWaitedForOnce(t *testing.T) {
	s := truth()
	late := want{user: "eve", id: "e1", seq: 1, sku: "radio", qty: 1}
	third := want{user: "eve", id: "e3", seq: 3, sku: "radio", qty: 1}
	s.call(100, 110, line{"op": "skip", "user": "eve", "saleId": "s", "seq": 2}, line{"status": 202})
	s.send(late, 20_000, 20_010, 202, "")
	s.send(third, 35_000, 35_010, 202, "")
	s.push(36_000, "eve", "e3", "reserved")
	s.read("eve", 60_400, 60_410, late.shown("superseded", 35_100), third.shown("paid", 35_500))
	if report := s.check(t); report.Result != "pass" {
		t.Fatal(report.text())
	}
}

// The ledger shows the second decision of a redriven order; the first one held units before it.
func TestARedrivenOrderMayHaveHeldUnitsFromItsFirstDecisionOn(t *testing.T) {
	early := want{user: "eve", id: "e1", sku: "lamp", qty: 3}
	late := want{user: "fay", id: "f1", sku: "lamp", qty: 1}
	for _, second := range []string{"dispatched", "sold_out", "over_limit"} {
		for _, told := range []bool{true, false} {
			s := newStory()
			s.send(early, 90, 95, 202, "")
			s.send(late, 5_000, 5_010, 202, "")
			s.push(5_030, "fay", "f1", "sold_out")
			if told {
				redrive := line{"op": "redrive", "user": "eve", "id": "e1"}
				s.call(40_000, 40_010, redrive, line{"status": 200})
			}
			s.read("eve", 60_400, 60_410, early.shown(second, 41_000))
			s.read("fay", 60_500, 60_510, late.shown("sold_out", 5_015))
			s.add(61_000, line{"e": "end", "drained": true, "clock": "steady"})
			if report := s.check(t); (report.Result == "pass") != told {
				t.Fatalf("%s, told %v: %s", second, told, report.text())
			}
		}
	}
}

func TestWhatNobodyCanKnowIsNotJudged(t *testing.T) {
	cases := []lie{
		{"an undrained end", func(s *Story) {
			s.change(line{"e": "end"}, line{"drained": false})
			s.hide("d2")
		}, "before everything was decided"},
		{"a file that was cut off", func(s *Story) {
			s.remove(line{"e": "end"})
		}, "without an end"},
		{"a user without a read", func(s *Story) {
			s.answers(line{"op": "orders", "user": "bob"}, line{"status": 503})
		}, "nobody read"},
	}
	for _, each := range cases {
		t.Run(each.name, func(t *testing.T) {
			s := truth()
			each.plan(s)
			report := s.check(t)
			if report.exitCode() != exitInconclusive || !strings.Contains(report.text(), each.what) {
				t.Fatal(report.text())
			}
		})
	}
}

// An uncertain run must not be judged by what only certainty shows.
func TestFaultsOfTheRunLoosenOnlyWhatTheyTouch(t *testing.T) {
	cases := []struct {
		name string
		plan func(*Story)
		end  line
	}{
		{"clocks that jumped", func(s *Story) {
			s.shown("d2", line{"decidedAt": clock(500)})
			s.shown("a1", line{"decidedAt": clock(9_000)})
			// The second order took what the first gave back, but claims to be older.
			first := want{user: "eve", id: "e1", sku: "radio", qty: 2}
			second := want{user: "eve", id: "e2", sku: "radio", qty: 2}
			s.send(first, 800, 810, 202, "")
			s.push(850, "eve", "e1", "reserved")
			s.send(second, 900, 910, 202, "")
			s.call(40_000, 40_010, line{"op": "cancel", "user": "eve", "id": "e1"},
				line{"status": 200, "state": "cancelled"})
			s.push(50_000, "eve", "e2", "reserved")
			s.read("eve", 60_400, 60_410, first.shown("cancelled", 840),
				second.shown("dispatched", 1_500))
		}, line{"clock": "jumps"}},
		{"a region that another gateway served", func(s *Story) {
			s.shown("c4", line{"lines": []line{{"sku": "radio", "qty": 2}}})
			s.change(line{"id": "c5", "state": "reserved"}, line{"state": "over_limit"})
			s.shown("c5", line{"status": "over_limit"})
		}, line{"failover": true}},
		{"a call that another region may hold", func(s *Story) {
			s.shown("c4", line{"decidedAt": clock(2_200)})
		}, line{}},
		{"a Redis that lost its last decisions", func(s *Story) {
			// The lamps were taken, lost, and taken again later.
			early := want{user: "eve", id: "e1", sku: "lamp", qty: 3}
			s.send(early, 90, 95, 202, "")
			late := want{user: "fay", id: "f1", sku: "lamp", qty: 1}
			s.send(late, 110, 115, 202, "")
			s.push(140, "fay", "f1", "sold_out")
			s.push(30_000, "eve", "e1", "sold_out")
			s.read("eve", 60_400, 60_410, early.shown("sold_out", 29_990))
			s.read("fay", 60_500, 60_510, late.shown("sold_out", 130))
		}, line{"redisLost": true}},
	}
	for _, each := range cases {
		t.Run(each.name, func(t *testing.T) {
			strict := truth()
			each.plan(strict)
			if report := strict.check(t); report.Result != "violations" {
				t.Fatal(report.text())
			}
			loose := truth()
			each.plan(loose)
			loose.change(line{"e": "end"}, each.end)
			if len(each.end) == 0 {
				loose.answers(line{"op": "order", "id": "c4"}, line{"region": "eu,us"})
			}
			if report := loose.check(t); report.Result != "pass" {
				t.Fatal(report.text())
			}
		})
	}
}

func TestAFileThatIsNoHistoryIsNamedByLine(t *testing.T) {
	for _, text := range []string{
		"{\"e\":\"sale\"}\n",
		"{\"e\":\"start\",\"v\":2}\n",
		"{\"e\":\"start\",\"v\":1}\nnonsense\n",
		"{\"e\":\"start\",\"v\":1}\n{\"e\":\"return\",\"call\":7}\n",
		"{\"e\":\"start\",\"v\":1,\"t\":5}\n{\"e\":\"sale\",\"t\":4}\n",
		"",
	} {
		path := t.TempDir() + "/events.jsonl"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readHistory([]string{path}); err == nil {
			t.Fatalf("accepted: %q", text)
		}
	}
}
