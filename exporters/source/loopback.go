package source

import "net/netip"

// Loopback reports whether a host, as it stands in a URL, is this machine by its address or is called localhost: what is
// sent there, a token perhaps, does not leave the machine.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
