package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestServeCrowd: an address that has its connections gets no more, and another is served.
func TestServeCrowd(t *testing.T) {
	addr := serving(t, serveFlags{connections: 30, perAddress: 20})
	for range 20 {
		if _, err := io.WriteString(dial(t, addr), "GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if text := hungUp(t, dial(t, addr)); text != "" {
			t.Errorf("connection %d more: got %q", i, text)
		}
	}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}
	other := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: local}).DialContext}}
	defer other.CloseIdleConnections()
	if got := pushed(other, addr); got != http.StatusOK {
		t.Errorf("another address: got status %d", got)
	}
	res, err := other.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(text, []byte("\nplimsoll_refused_connections_total 20\n")) {
		t.Errorf("the metrics do not tell of 20 refused connections: %v", err)
	}
}
