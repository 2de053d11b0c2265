package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"

	websrv "github.com/plimsoll-slo/plimsoll/internal/web"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// secure reads the tokens and refuses what would let strangers in.
func (f *serveFlags) secure() error {
	var users, certificates bool
	if f.webConfig != "" {
		if err := web.Validate(f.webConfig); err != nil {
			return world(fmt.Errorf("--web-config: %w", err))
		}
		text, err := os.ReadFile(f.webConfig)
		if err != nil {
			return world(fmt.Errorf("--web-config: %w", err))
		}
		users, certificates = authOf(f.webConfig, text)
		f.server.Web.Users = users
	}
	if f.tokens != "" {
		if err := f.readTokens(); err != nil {
			return world(fmt.Errorf("--tokens: %w", err))
		}
		if users {
			return errors.New("want either --tokens or basic_auth_users in --web-config, as a request has room for one of them; a token also serves as the password of any user")
		}
	}
	closed := users || certificates || f.tokens != ""
	inside, err := loopback(f.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if !inside && !closed && !f.public {
		return fmt.Errorf("others can reach %s, and nobody has to authenticate: give --tokens or --web-config, listen at 127.0.0.1, or say --insecure-public", f.listen)
	}
	if f.server.Web.Profiling && !inside && !closed {
		return errors.New("--profiling wants authentication or a loopback address")
	}
	return nil
}

func (f *serveFlags) readTokens() error {
	info, err := os.Stat(f.tokens)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%q can be read by everybody: chmod 600 it", f.tokens)
	}
	text, err := os.ReadFile(f.tokens)
	if err != nil {
		return err
	}
	f.server.Web.Tokens, err = websrv.ParseTokens(string(text))
	return err
}

// authOf tells what a web configuration that is valid asks of clients: a password or a certificate.
func authOf(name string, text []byte) (users, certificates bool) {
	roots, _ := yamlsrc.Parse(name, text)
	for _, root := range roots {
		fields, _ := root.Fields()
		for _, f := range fields {
			below, _ := f.Value.Fields()
			switch f.Name {
			case "basic_auth_users":
				users = users || len(below) > 0
			case "tls_server_config":
				for _, x := range below {
					kind := x.Value.Text()
					certificates = certificates || x.Name == "client_auth_type" && kind == "RequireAndVerifyClientCert"
				}
			}
		}
	}
	return users, certificates
}

// loopback reports whether only this machine reaches a listen address. A name counts as what it means here.
func loopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, err
	}
	if strings.EqualFold(host, "localhost") {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}
