package platformevents

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"go.opentelemetry.io/collector/config/confignet"
)

// onLoopback tells whether the address can be reached from this machine only.
func (c *Config) onLoopback() bool {
	if c.NetAddr.Transport == confignet.TransportTypeUnix {
		return true
	}
	host, _, err := net.SplitHostPort(c.NetAddr.Endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listen is the server's own way to listen, except that a client certificate is asked for but not demanded if there are
// sources that are known by something else. Whoever shows one must show a good one.
func (c *Config) listen(ctx context.Context) (net.Listener, error) {
	listener, err := c.NetAddr.Listen(ctx)
	if err != nil || !c.TLS.HasValue() {
		return listener, err
	}
	settings, err := c.TLS.Get().LoadTLSConfig(ctx)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	settings.NextProtos = []string{"h2", "http/1.1"}
	if settings.ClientAuth == tls.RequireAndVerifyClientCert && !c.allShowCertificates() {
		settings.ClientAuth = tls.VerifyClientCertIfGiven
		if reload := settings.GetConfigForClient; reload != nil {
			settings.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				fresh, err := reload(hello)
				if err == nil {
					fresh.ClientAuth = tls.VerifyClientCertIfGiven
				}
				return fresh, err
			}
		}
	}
	return tls.NewListener(listener, settings), nil
}

func (c *Config) allShowCertificates() bool {
	for _, source := range c.Sources {
		if source.ClientCertificate == nil {
			return false
		}
	}
	return true
}
