package main

// A history in memory: what was asked, what was answered, and what was seen, by user and order.

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

var never = math.Inf(1)

// Call is a request with its answer. Return is never if no answer came.
type Call struct {
	Op, Region, ID, SaleID string
	Sku, Ref               string
	Seq, Units             int
	Body                   *Body
	Invoke, Return         float64
	Status                 int
	Code, State            string
	Orders                 []Seen
	At                     []Where
}

// Accepted: certainly accepted. Refused: certainly without effect. Neither: unknown.
func (c *Call) Accepted() bool { return c.Status == 200 || c.Status == 202 }

func (c *Call) Refused() bool {
	if c.Status == 503 {
		return c.Code == "shed" || c.Code == "unavailable"
	}
	return c.Status >= 400 && c.Status < 500
}

// Place is the one region whose queue certainly has the call; empty if that is not known. A gateway
// may have used another region for a call that it did not answer.
func (c *Call) Place() string {
	if !c.Accepted() || strings.Contains(c.Region, ",") {
		return ""
	}
	return c.Region
}

// Sight is one look at an order's state: it was so at some moment from From to To.
type Sight struct {
	From, To float64
	State    string
	Push     bool
	At       []Where
}

type Order struct {
	User, ID string
	Sendings []*Call
	Cancels  []*Call
	Redriven bool
	// Pending: a push reported that a cancel waits for it.
	Pending []Where
	Sights  []Sight
	// Final is what the user's last complete read showed of it.
	Final   *Seen
	FinalAt []Where
	// Listed counts how often the last read named it.
	Listed int
}

type Sale struct {
	ID, Currency string
	Items        map[string]Item
}

type User struct {
	Name   string
	Orders []*Order
	Skips  []*Call
	Reads  []*Call
}

// LastRead is the user's last complete read.
func (u *User) LastRead() *Call {
	for i := len(u.Reads) - 1; i >= 0; i-- {
		if u.Reads[i].Accepted() {
			return u.Reads[i]
		}
	}
	return nil
}

type History struct {
	Paths    []string
	Sales    map[string]*Sale
	Users    map[string]*User
	Names    []string
	Orders   map[string]*Order
	Restocks []*Call
	// Corrections took units away, or were refused.
	Corrections []*Call
	Redrives []*Call

	GapTimeoutMs, HoldTTLMs float64
	// Drained: everything accepted was decided before the last reads.
	Drained bool
	// Steady: the system's clocks agreed with the clients' and never jumped.
	Steady bool
	// RedisLost, Failover: what the faults of the run may have caused.
	RedisLost, Failover bool
	Whole               bool
	Lines, Calls        int
	Unknown             int
}

func readHistory(paths []string) (*History, error) {
	h := &History{
		Paths: paths, Sales: map[string]*Sale{}, Users: map[string]*User{},
		Orders: map[string]*Order{}, Drained: true, Steady: true, Whole: true,
	}
	for file, path := range paths {
		r := &fileReader{history: h, open: map[int]*Call{}}
		if err := readLines(path, file, r.take); err != nil {
			return nil, err
		}
		if !r.started {
			return nil, fmt.Errorf("%s: the first line must be a start", path)
		}
		if !r.ended {
			h.Whole, h.Drained = false, false
		}
	}
	h.finish()
	return h, nil
}

// fileReader follows the calls of one file.
type fileReader struct {
	history        *History
	open           map[int]*Call
	last           float64
	started, ended bool
}

func (r *fileReader) take(e event, at Where) error {
	if r.started == (e.E == "start") {
		return errors.New("a file starts with one start line")
	}
	if r.ended {
		return errors.New("a line after the end")
	}
	if e.T < r.last {
		return errors.New("the clients' clock went back")
	}
	r.last = e.T
	r.history.Lines++
	switch e.E {
	case "start":
		return r.start(e)
	case "sale":
		r.history.addSale(e)
	case "invoke":
		return r.invoke(e, at)
	case "return":
		return r.answer(e, at)
	case "saw":
		r.history.saw(e, at)
	case "end":
		r.end(e)
	default:
		return fmt.Errorf("unknown event %q", e.E)
	}
	return nil
}

func (r *fileReader) start(e event) error {
	if e.V != version {
		return fmt.Errorf("version %d, not %d", e.V, version)
	}
	r.started = true
	h := r.history
	h.GapTimeoutMs = math.Max(h.GapTimeoutMs, e.GapTimeoutMs)
	h.HoldTTLMs = math.Max(h.HoldTTLMs, e.HoldTTLMs)
	return nil
}

func (r *fileReader) end(e event) {
	h := r.history
	r.ended = true
	h.Drained = h.Drained && e.Drained
	h.Steady = h.Steady && e.Clock == "steady"
	h.RedisLost = h.RedisLost || e.RedisLost
	h.Failover = h.Failover || e.Failover
}

func (r *fileReader) invoke(e event, at Where) error {
	if e.Call == 0 || r.open[e.Call] != nil {
		return errors.New("a call needs a number of its own")
	}
	call := &Call{
		Op: e.Op, Region: e.Region, ID: e.ID, SaleID: e.SaleID, Sku: e.Sku, Ref: e.Ref,
		Seq: e.Seq, Units: e.Units, Body: e.Body, Invoke: e.T, Return: never, At: []Where{at},
	}
	r.open[e.Call] = call
	r.history.Calls++
	return r.history.addCall(call, e.User)
}

func (r *fileReader) answer(e event, at Where) error {
	call := r.open[e.Call]
	if call == nil || call.Return != never {
		return errors.New("an answer without a call")
	}
	call.Status, call.Code, call.State, call.Orders = e.Status, e.Code, e.State, e.Orders
	if e.Region != "" {
		call.Region = e.Region
	}
	call.Return = e.T
	call.At = append(call.At, at)
	return nil
}

func (h *History) addSale(e event) {
	sale := &Sale{ID: e.ID, Currency: e.Currency, Items: map[string]Item{}}
	for _, item := range e.Items {
		sale.Items[item.Sku] = item
	}
	h.Sales[e.ID] = sale
}

func (h *History) addCall(call *Call, user string) error {
	switch call.Op {
	case "order":
		if call.Body == nil {
			return errors.New("an order without a body")
		}
		order := h.order(user, call.ID)
		order.Sendings = append(order.Sendings, call)
	case "cancel":
		order := h.order(user, call.ID)
		order.Cancels = append(order.Cancels, call)
	case "skip":
		u := h.user(user)
		u.Skips = append(u.Skips, call)
	case "orders":
		u := h.user(user)
		u.Reads = append(u.Reads, call)
	case "restock":
		h.Restocks = append(h.Restocks, call)
	case "correct":
		h.Corrections = append(h.Corrections, call)
	case "redrive":
		h.Redrives = append(h.Redrives, call)
		if call.ID != "" {
			h.order(user, call.ID).Redriven = true
		}
	default:
		return fmt.Errorf("unknown op %q", call.Op)
	}
	return nil
}

func (h *History) user(name string) *User {
	u := h.Users[name]
	if u == nil {
		u = &User{Name: name}
		h.Users[name] = u
		h.Names = append(h.Names, name)
	}
	return u
}

func (h *History) order(user, id string) *Order {
	key := user + " " + id
	order := h.Orders[key]
	if order == nil {
		order = &Order{User: user, ID: id}
		h.Orders[key] = order
		u := h.user(user)
		u.Orders = append(u.Orders, order)
	}
	return order
}

func (h *History) saw(e event, at Where) {
	order := h.order(e.User, e.ID)
	switch {
	case e.Mark == "not_cancelled":
	case e.State == "cancel_pending":
		order.Pending = append(order.Pending, at)
	default:
		// An outcome is pushed once it is recorded, so it was so when it arrived.
		sight := Sight{From: e.T, To: e.T, State: e.State, Push: true, At: []Where{at}}
		order.Sights = append(order.Sights, sight)
	}
}

// finish adds what answers tell of orders, once all of them are known.
func (h *History) finish() {
	for _, name := range append([]string(nil), h.Names...) {
		u := h.Users[name]
		last := u.LastRead()
		for _, read := range u.Reads {
			for i := range read.Orders {
				h.sightOf(u, read, &read.Orders[i], read == last)
			}
		}
	}
	whole := false
	for _, redrive := range h.Redrives {
		whole = whole || redrive.ID == ""
	}
	for _, order := range h.Orders {
		order.Redriven = order.Redriven || whole
		for _, cancel := range order.Cancels {
			h.countUnknown(cancel)
			if cancel.State == "cancelled" {
				sight := Sight{From: cancel.Invoke, To: cancel.Return, State: "cancelled", At: cancel.At}
				order.Sights = append(order.Sights, sight)
			}
		}
		for _, sending := range order.Sendings {
			h.countUnknown(sending)
		}
	}
}

func (h *History) sightOf(u *User, read *Call, seen *Seen, last bool) {
	order := h.order(u.Name, seen.ID)
	sight := Sight{From: read.Invoke, To: read.Return, State: seen.Status, At: read.At}
	order.Sights = append(order.Sights, sight)
	if last {
		order.Final, order.FinalAt = seen, read.At
		order.Listed++
	}
}

func (h *History) countUnknown(call *Call) {
	if !call.Accepted() && !call.Refused() {
		h.Unknown++
	}
}

// decidedMs is the time of the decision as the server reports it; 0 if it reports none.
func (s *Seen) decidedMs() float64 {
	if s == nil || s.DecidedAt == "" {
		return 0
	}
	at, err := time.Parse(time.RFC3339Nano, s.DecidedAt)
	if err != nil {
		return 0
	}
	return float64(at.UnixMicro()) / 1000
}
