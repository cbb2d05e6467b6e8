// Package querylog writes one JSON line for each query: who asked what, and what the answer was.
//
// CoreDNS's own log plugin knows neither the records of an answer nor, to better than its line, the time.
package querylog

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/rcode"
	"github.com/coredns/coredns/request"

	"github.com/miekg/dns"
)

const name = "querylog"

// Handler passes each query on and logs what came of it.
type Handler struct {
	Next plugin.Handler
	Out  io.Writer
}

// Entry is one line of the log.
type Entry struct {
	Time     time.Time `json:"time"` // when the query came, UTC
	Client   string    `json:"client"`
	ID       uint16    `json:"id"`
	Name     string    `json:"name"` // lower case, with the final dot
	Type     string    `json:"type"`
	Rcode    *string   `json:"rcode"`    // null if the query was left without an answer
	Records  []string  `json:"records"`  // the answer section: "alpha.test. 300 IN MX 10 mx.alpha.test."
	Duration float64   `json:"duration"` // seconds
}

// recorder keeps the answer that passes through it.
type recorder struct {
	dns.ResponseWriter
	answer *dns.Msg
}

func (r *recorder) WriteMsg(m *dns.Msg) error {
	r.answer = m
	return r.ResponseWriter.WriteMsg(m)
}

// Name implements plugin.Handler.
func (h *Handler) Name() string { return name }

// ServeDNS implements plugin.Handler.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, query *dns.Msg) (int, error) {
	arrived := time.Now()
	seen := &recorder{ResponseWriter: w}
	code, err := plugin.NextOrFailure(name, h.Next, ctx, seen, query)

	state := request.Request{W: w, Req: query}
	entry := Entry{
		Time:     arrived.UTC(),
		Client:   state.IP(),
		ID:       query.Id,
		Name:     state.Name(),
		Type:     state.Type(),
		Records:  []string{},
		Duration: time.Since(arrived).Seconds(),
	}
	switch {
	case seen.answer != nil:
		entry.Rcode = word(seen.answer.Rcode)
		for _, record := range seen.answer.Answer {
			entry.Records = append(entry.Records, oneLine(record))
		}
	case !plugin.ClientWrite(code):
		// Nobody wrote: the server sends an empty answer with this code when the plugins have returned.
		entry.Rcode = word(code)
	}
	h.write(entry)
	return code, err
}

// write makes the line one single write, so that lines of queries at the same moment stay whole.
func (h *Handler) write(entry Entry) {
	line, err := json.Marshal(entry)
	if err != nil { // no value of Entry's types can do that
		panic(err)
	}
	_, _ = h.Out.Write(append(line, '\n')) // with standard output gone there is nowhere left to say so
}

func word(code int) *string {
	text := rcode.ToString(code)
	return &text
}

// oneLine is the record as a zone file has it, with single spaces between the fields.
func oneLine(record dns.RR) string {
	header := strings.Join(strings.Fields(record.Header().String()), " ")
	return header + " " + strings.TrimPrefix(record.String(), record.Header().String())
}
