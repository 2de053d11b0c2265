package main

import (
	"net"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// crowd is a listener that hangs up on an address that has too many connections already, so that nobody can take all of
// them. Addresses of IPv6 count by their network of 64 bits, which is what one machine has.
type crowd struct {
	net.Listener
	most    int
	refused prometheus.Counter

	mu   sync.Mutex
	from map[netip.Prefix]int // connections by address
}

// newCrowd returns a listener that lets most connections of one address through.
func newCrowd(l net.Listener, most int, reg prometheus.Registerer) *crowd {
	c := &crowd{Listener: l, most: most, from: map[netip.Prefix]int{}, refused: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "plimsoll_refused_connections_total", Help: "Connections of addresses that had too many already.",
	})}
	reg.MustRegister(c.refused)
	return c
}

// Accept implements net.Listener.
func (l *crowd) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(c.RemoteAddr())
		if l.enter(from) {
			return &guest{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		l.refused.Inc()
		_ = c.Close()
	}
}

func (l *crowd) enter(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from[from] >= l.most {
		return false
	}
	l.from[from]++
	return true
}

func (l *crowd) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
	}
}

// addressOf returns what counts as one address. All that is no address of the Internet counts as one.
func addressOf(a net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// guest is a connection that counts.
type guest struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
