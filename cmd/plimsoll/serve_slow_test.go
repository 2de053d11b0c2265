package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dial connects to a server as a client that is about to misbehave.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// hungUp waits until the server hangs up and returns what it said.
func hungUp(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		t.Fatalf("still connected, after %q", text)
	}
	return string(text)
}

// trickle sends a byte every now and then until nobody takes it any more.
func trickle(c net.Conn, done chan<- struct{}) {
	defer close(done)
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for range every.C {
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
	}
}

// pushed pushes a sample as somebody who behaves, and returns the status, or 0 if there is no answer.
func pushed(c *http.Client, addr string) int {
	body := fmt.Sprintf(metricsJSON, 1, time.Now().UnixNano(), 1)
	res, err := c.Post("http://"+addr+"/api/v1/otlp/v1/metrics", "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestServeSlow: clients that never finish the head of a request, or its body, are hung up on, whether they are silent or
// send a byte now and then; and others do not notice them.
func TestServeSlow(t *testing.T) {
	const (
		head = "POST /api/v1/write HTTP/1.1\r\nX-Slow: "
		body = "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100000\r\n\r\n"
	)
	for name, begin := range map[string]string{"head": head, "body": body} {
		for _, trickles := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, trickles %v", name, trickles), func(t *testing.T) {
				t.Parallel()
				addr := serving(t, serveFlags{headerWithin: 500 * time.Millisecond, requestWithin: 500 * time.Millisecond})
				var slow []net.Conn
				var ends []chan struct{}
				for range 40 {
					c, done := dial(t, addr), make(chan struct{})
					if _, err := io.WriteString(c, begin); err != nil {
						t.Fatal(err)
					}
					if slow = append(slow, c); trickles {
						ends = append(ends, done)
						go trickle(c, done)
					}
				}
				good := &http.Client{Transport: &http.Transport{}}
				defer good.CloseIdleConnections()
				if got := pushed(good, addr); got != http.StatusOK {
					t.Errorf("beside slow clients: got status %d", got)
				}
				for _, c := range slow {
					if text := hungUp(t, c); strings.Contains(text, "200 OK") || strings.Contains(text, "204 No") {
						t.Errorf("a slow client got %q", text)
					}
					c.Close()
				}
				for _, done := range ends {
					<-done
				}
			})
		}
	}
}

// TestServeLarge: a body that is too large is refused as soon as that is known, whether its length is told or not.
func TestServeLarge(t *testing.T) {
	f := serveFlags{}
	f.server.Limits.RequestBytes = 1 << 20
	addr := serving(t, f)
	for name, begin := range map[string]string{
		"told":     "Content-Length: 1000000000000",
		"not told": "Transfer-Encoding: chunked",
	} {
		c := dial(t, addr)
		if _, err := io.WriteString(c, "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"+begin+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		sent, done := 0, make(chan struct{})
		go func() {
			defer close(done)
			chunk := make([]byte, 1<<16)
			for {
				text := chunk
				if name == "not told" {
					text = fmt.Appendf(nil, "%x\r\n%s\r\n", len(chunk), chunk)
				}
				n, err := c.Write(text)
				if sent += n; err != nil {
					return
				}
			}
		}()
		// What the server says may be lost with what it did not read.
		if text := hungUp(t, c); text != "" && !strings.HasPrefix(text, "HTTP/1.1 413 ") {
			t.Errorf("%s: got %q, want 413", name, text)
		}
		c.Close()
		if <-done; sent > 64<<20 {
			t.Errorf("%s: the server took %d bytes", name, sent)
		}
	}
	if got := pushed(http.DefaultClient, addr); got != http.StatusOK {
		t.Errorf("afterwards: got status %d", got)
	}
}

// TestAddressOf: what counts as one address.
func TestAddressOf(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1/32", "[::ffff:10.0.0.1]:5": "10.0.0.1/32", "[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::/64", "[fe80::1%eth0]:5": "fe80::/64",
	} {
		a, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := addressOf(a).String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := addressOf(&net.UnixAddr{Name: "x"}); got.IsValid() {
		t.Errorf("no address: got %s", got)
	}
}
