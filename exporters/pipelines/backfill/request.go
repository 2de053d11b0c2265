package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// round is one call of Poll.
type round struct {
	*Poller
	ctx    context.Context
	now    time.Time
	token  string
	left   int       // requests
	until  time.Time // when the system answers again, if it does not
	events []event.Event
}

// page is what is remembered of one page of a list.
type page struct{ etag, next string }

var (
	// errStop ends a round: the next request would be answered the same way.
	errStop = errors.New("no more requests in this round")
	// errBudget is an errStop that is nobody's fault.
	errBudget = fmt.Errorf("budget spent: %w", errStop)
)

// maxWait is the longest time that a system can ask to be left alone.
const maxWait = 2 * time.Hour

// answer is one that can be used. fresh is false if nothing has changed since etag.
type answer struct {
	body  []byte
	etag  string
	next  string // address of the next page
	fresh bool
}

// get asks for one address of the system, if etag is given only for what has changed.
func (r *round) get(address, etag string) (answer, error) {
	if r.left <= 0 {
		return answer{}, errBudget
	}
	if r.until.After(r.now) {
		return answer{}, fmt.Errorf("rate limit reached until %s: %w", r.until.UTC().Format(time.RFC3339), errStop)
	}
	r.left--
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "plimsoll")
	req.Header.Set("Accept", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errStop, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.cfg.MaxBytes+1))
	if err != nil {
		return answer{}, fmt.Errorf("get %s: %w", address, err)
	}
	if int64(len(body)) > r.cfg.MaxBytes {
		return answer{}, fmt.Errorf("get %s: want at most %d bytes, have more", address, r.cfg.MaxBytes)
	}
	return r.judge(address, resp, body)
}

// judge says what an answer is worth.
func (r *round) judge(address string, resp *http.Response, body []byte) (answer, error) {
	limited := r.limits(resp)
	a := answer{body: body, etag: resp.Header.Get("ETag"), fresh: true}
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		var err error
		a.next, err = r.nextPage(resp)
		return a, err
	case code == http.StatusNotModified:
		a.fresh = false
		return a, nil
	case limited:
		return a, fmt.Errorf("get %s: status %d, rate limit reached until %s: %w", address, code, r.until.UTC().Format(time.RFC3339), errStop)
	case code == http.StatusUnauthorized:
		return a, fmt.Errorf("get %s: status 401, the token is not accepted: %w", address, errStop)
	default:
		return a, fmt.Errorf("get %s: want status 200, have %d", address, code)
	}
}

// limits notes when the system is to be left alone until, and tells whether it has refused to answer because of that.
// Source: GitHub REST API, "Rate limits"; GitLab, "Rate limits", response headers.
func (r *round) limits(resp *http.Response) (refused bool) {
	refused = resp.StatusCode == http.StatusTooManyRequests
	mayRefuse := refused || resp.StatusCode == http.StatusForbidden
	if after := resp.Header.Get("Retry-After"); after != "" && mayRefuse {
		refused = true
		if seconds, err := strconv.Atoi(after); err == nil {
			r.wait(r.now.Add(time.Duration(min(max(seconds, 0), 1e6)) * time.Second))
		} else if at, err := http.ParseTime(after); err == nil {
			r.wait(at)
		}
	}
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		remaining, err := strconv.Atoi(resp.Header.Get(prefix + "Remaining"))
		if err != nil {
			continue
		}
		reset, err := strconv.ParseInt(resp.Header.Get(prefix+"Reset"), 10, 64)
		if err != nil {
			continue
		}
		if remaining <= r.cfg.Reserve {
			r.wait(time.Unix(reset, 0))
		}
		refused = refused || remaining == 0 && mayRefuse
	}
	if refused && !r.until.After(r.now) {
		r.wait(r.now.Add(time.Minute))
	}
	return refused
}

// wait leaves the system alone until a time, within reason.
func (r *round) wait(until time.Time) {
	if latest := r.now.Add(maxWait); until.After(latest) {
		until = latest
	}
	if until.After(r.until) {
		r.until = until
	}
}

// nextPage returns the address of the next page, which must be of the same system. Source: RFC 8288.
func (r *round) nextPage(resp *http.Response) (string, error) {
	for _, link := range strings.Split(strings.Join(resp.Header.Values("Link"), ","), ",") {
		target, parameters, ok := strings.Cut(link, ">")
		_, target, found := strings.Cut(target, "<")
		if !ok || !found || !strings.Contains(strings.ReplaceAll(parameters, `"`, ""), "rel=next") {
			continue
		}
		u, err := url.Parse(target)
		if err != nil || !r.same(u) {
			return "", errors.New("the next page is at another place than the first")
		}
		return target, nil
	}
	return "", nil
}

// changed is list for those pages alone that have changed since they were last worked through.
func (r *round) changed(address, field string, each func(record json.RawMessage) (more bool, err error)) error {
	return r.through(address, field, r.pages, each)
}

// list asks for the pages of a list and calls each with every record. The records are at a field, or the list is the
// answer if field is empty. each may end the list by returning false.
func (r *round) list(address, field string, each func(record json.RawMessage) (more bool, err error)) error {
	return r.through(address, field, map[string]*page{}, each)
}

func (r *round) through(address, field string, pages map[string]*page, each func(json.RawMessage) (bool, error)) error {
	for range r.cfg.MaxPages {
		known := pages[address]
		if known == nil {
			known = &page{}
		}
		a, err := r.get(address, known.etag)
		if err != nil {
			return err
		}
		if !a.fresh {
			if address = known.next; address == "" {
				return nil
			}
			continue
		}
		more, err := eachRecord(a.body, field, each)
		if err != nil {
			return err
		}
		if !more {
			a.next = ""
		}
		if a.etag != "" && len(a.etag) <= 256 {
			pages[address] = &page{a.etag, a.next}
		}
		if address = a.next; address == "" {
			return nil
		}
	}
	return nil
}

func eachRecord(body []byte, field string, each func(json.RawMessage) (bool, error)) (more bool, err error) {
	if field != "" {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return false, errors.New("the answer is not an object")
		}
		body = fields[field]
	}
	var records []json.RawMessage
	if err := json.Unmarshal(body, &records); err != nil {
		return false, errors.New("the answer has no list")
	}
	for _, record := range records {
		if more, err := each(record); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}
