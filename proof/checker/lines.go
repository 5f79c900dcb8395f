package main

// Reads histories (docs/history.md): JSON lines, written by clients, one for each event.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Where is a line of one of the files, from 1.
type Where struct{ File, Line int }

type Body struct {
	SaleID   string     `json:"saleId"`
	Seq      int        `json:"seq"`
	Currency string     `json:"currency"`
	Lines    []ItemLine `json:"lines"`
	MaxTotal int64      `json:"maxTotal"`
}

type ItemLine struct {
	Sku string `json:"sku"`
	Qty int    `json:"qty"`
}

// Seen is an order as a read returned it.
type Seen struct {
	Body
	ID        string `json:"id"`
	User      string `json:"user"`
	Status    string `json:"status"`
	DecidedAt string `json:"decidedAt"`
}

type Item struct {
	Sku   string `json:"sku"`
	Units int    `json:"units"`
	Limit int    `json:"limit"`
}

// event holds the members of every kind of line.
type event struct {
	E    string  `json:"e"`
	T    float64 `json:"t"`
	Call int     `json:"call"`
	Op   string  `json:"op"`

	Via    string `json:"via"`
	Region string `json:"region"`
	User   string `json:"user"`
	ID     string `json:"id"`
	SaleID string `json:"saleId"`
	Seq    int    `json:"seq"`
	Sku    string `json:"sku"`
	Units  int    `json:"units"`
	Ref    string `json:"ref"`
	Body   *Body  `json:"body"`

	Status int    `json:"status"`
	Code   string `json:"code"`
	State  string `json:"state"`
	Mark   string `json:"mark"`
	Orders []Seen `json:"orders"`

	V            int     `json:"v"`
	GapTimeoutMs float64 `json:"gapTimeoutMs"`
	HoldTTLMs    float64 `json:"holdTtlMs"`
	Currency     string  `json:"currency"`
	Items        []Item  `json:"items"`
	Drained      bool    `json:"drained"`
	Clock        string  `json:"clock"`
	RedisLost    bool    `json:"redisLost"`
	Failover     bool    `json:"failover"`
}

const version = 1

// readLines hands each line of a file to take, in order. A last line without its end is skipped:
// the writer was cut off. Any other line that is not an event is an error.
func readLines(path string, file int, take func(event, Where) error) error {
	input, err := os.Open(path)
	if err != nil {
		return err
	}
	defer input.Close()
	reader := bufio.NewReaderSize(input, 1<<20)
	for number := 1; ; number++ {
		text, err := longLine(reader)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", path, number, err)
		}
		var e event
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("%s, line %d: %w: %.80s", path, number, err, text)
		}
		if err := take(e, Where{file, number}); err != nil {
			return fmt.Errorf("%s, line %d: %w: %.80s", path, number, err, text)
		}
	}
}

// longLine returns a whole line; io.EOF at the end of the file or for a line without its end.
func longLine(reader *bufio.Reader) ([]byte, error) {
	text, err := reader.ReadSlice('\n')
	if err == nil {
		return text, nil
	}
	whole := bytes.Clone(text)
	for err == bufio.ErrBufferFull {
		text, err = reader.ReadSlice('\n')
		whole = append(whole, text...)
	}
	return whole, err
}

// quote returns the text of some lines, cut to a bearable length.
func quote(paths []string, wanted map[Where]bool) map[Where]string {
	const most = 240
	found := map[Where]string{}
	for file, path := range paths {
		input, err := os.Open(path)
		if err != nil {
			continue
		}
		reader := bufio.NewReaderSize(input, 1<<20)
		for number := 1; ; number++ {
			text, err := longLine(reader)
			if err != nil {
				break
			}
			if at := (Where{file, number}); wanted[at] {
				text = bytes.TrimSpace(text)
				found[at] = fmt.Sprintf("%.*s", most, text)
			}
		}
		input.Close()
	}
	return found
}
