package querylog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/test"

	"github.com/miekg/dns"
)

// ask sends one query through the plugin to next and returns the line that was logged.
func ask(t *testing.T, next plugin.Handler, qname string, qtype uint16) Entry {
	t.Helper()
	var out bytes.Buffer
	query := new(dns.Msg).SetQuestion(qname, qtype)
	query.Id = 4711
	handler := &Handler{Next: next, Out: &out}
	_, _ = handler.ServeDNS(context.Background(), &test.ResponseWriter{}, query)
	if strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Fatalf("want exactly one line, got %q", out.String())
	}
	var entry Entry
	if err := json.Unmarshal(out.Bytes(), &entry); err != nil {
		t.Fatalf("%q is not JSON: %v", out.String(), err)
	}
	return entry
}

// answer is a plugin that answers with these records.
func answer(code int, records ...dns.RR) plugin.Handler {
	return plugin.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		reply := new(dns.Msg).SetRcode(r, code)
		reply.Answer = records
		return dns.RcodeSuccess, w.WriteMsg(reply)
	})
}

func TestAnAnswerIsLoggedWithItsRecords(t *testing.T) {
	before := time.Now()
	entry := ask(t, answer(dns.RcodeSuccess,
		test.MX("beta.test. 300 IN MX 10 mx.beta.test."),
		test.TXT(`beta.test. 60 IN TXT "two  spaces" "a\"quote"`),
	), "Beta.TEST.", dns.TypeMX)

	if *entry.Rcode != "NOERROR" || entry.Name != "beta.test." || entry.Type != "MX" || entry.ID != 4711 {
		t.Errorf("wrong question or rcode: %+v", entry)
	}
	if entry.Client != "10.240.0.1" { // the address of test.ResponseWriter
		t.Errorf("client is %q", entry.Client)
	}
	want := []string{"beta.test. 300 IN MX 10 mx.beta.test.", `beta.test. 60 IN TXT "two  spaces" "a\"quote"`}
	if strings.Join(entry.Records, "\n") != strings.Join(want, "\n") {
		t.Errorf("records are %q", entry.Records)
	}
	if entry.Time.Before(before.Truncate(0)) || entry.Time.After(time.Now()) || entry.Time.Location() != time.UTC {
		t.Errorf("time is %v", entry.Time)
	}
	if entry.Duration < 0 || entry.Duration > time.Since(before).Seconds() {
		t.Errorf("duration is %v", entry.Duration)
	}
}

func TestANameThatIsNotThereHasNoRecords(t *testing.T) {
	entry := ask(t, answer(dns.RcodeNameError), "nowhere.test.", dns.TypeA)
	if *entry.Rcode != "NXDOMAIN" || entry.Records == nil || len(entry.Records) != 0 {
		t.Errorf("%+v", entry)
	}
}

func TestACodeThatTheServerWillWriteIsLogged(t *testing.T) {
	failing := plugin.HandlerFunc(func(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) {
		return dns.RcodeServerFailure, errors.New("no zone")
	})
	if entry := ask(t, failing, "alpha.test.", dns.TypeSOA); *entry.Rcode != "SERVFAIL" {
		t.Errorf("rcode is %q", *entry.Rcode)
	}
}

func TestAQueryLeftWithoutAnAnswerSaysSo(t *testing.T) {
	silent := plugin.HandlerFunc(func(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) {
		return dns.RcodeSuccess, nil // as acl's drop does
	})
	if entry := ask(t, silent, "alpha.test.", dns.TypeA); entry.Rcode != nil {
		t.Errorf("rcode is %q", *entry.Rcode)
	}
}

// lines counts the writes it gets; each has to be a whole line.
type lines struct {
	sync.Mutex
	writes []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	l.writes = append(l.writes, string(p))
	return len(p), nil
}

func TestLinesOfQueriesAtTheSameMomentStayWhole(t *testing.T) {
	var out lines
	handler := &Handler{Next: answer(dns.RcodeSuccess), Out: &out}
	var all sync.WaitGroup
	for range 50 {
		all.Add(1)
		go func() {
			defer all.Done()
			query := new(dns.Msg).SetQuestion("alpha.test.", dns.TypeMX)
			_, _ = handler.ServeDNS(context.Background(), &test.ResponseWriter{}, query)
		}()
	}
	all.Wait()
	if len(out.writes) != 50 {
		t.Errorf("%d writes for 50 queries", len(out.writes))
	}
	for _, line := range out.writes {
		if !strings.HasSuffix(line, "\n") || !json.Valid([]byte(line)) {
			t.Errorf("not a line of JSON: %q", line)
		}
	}
}

func TestTheDirectiveTakesNoArguments(t *testing.T) {
	if err := setup(caddy.NewTestController("dns", "querylog")); err != nil {
		t.Errorf("plain: %v", err)
	}
	if err := setup(caddy.NewTestController("dns", "querylog verbose")); err == nil {
		t.Error("an argument was taken")
	}
}
