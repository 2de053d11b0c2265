package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/remote"
)

// accessFlags say how we prove to a server who we are, and it to us. Secrets are in files: a command line is seen by
// every user of a machine.
type accessFlags struct {
	tokenFile, basicAuthFile string
	tls                      remote.Files
}

func (f *accessFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.tokenFile, "token-file", "", "file with a bearer token")
	fs.StringVar(&f.basicAuthFile, "basic-auth-file", "", "file with user:password")
	fs.StringVar(&f.tls.CA, "ca-file", "", "PEM file with the authorities to trust")
	fs.StringVar(&f.tls.Cert, "cert-file", "", "PEM file with our certificate")
	fs.StringVar(&f.tls.Key, "key-file", "", "PEM file with the key of our certificate")
	c.MarkFlagsMutuallyExclusive("token-file", "basic-auth-file")
}

// options reads the files.
func (f accessFlags) options() (o remote.Options, err error) {
	if f.tokenFile != "" {
		if o.Token, err = readSecret(f.tokenFile); err != nil {
			return o, err
		}
	}
	if f.basicAuthFile != "" {
		if o.User, o.Password, err = readBasicAuth(f.basicAuthFile); err != nil {
			return o, err
		}
	}
	o.HTTP, err = remote.HTTP(f.tls)
	return o, err
}

// readSecret returns the only line of a file. Errors do not repeat it.
func readSecret(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("read secret %q: want one line of text", name)
	}
	return s, nil
}

// readBasicAuth returns what a file with user:password holds. Errors do not repeat it.
func readBasicAuth(name string) (user, password string, err error) {
	secret, err := readSecret(name)
	if err != nil {
		return "", "", err
	}
	user, password, ok := strings.Cut(secret, ":")
	if !ok {
		return "", "", fmt.Errorf("read %q: want user:password, have no colon", name)
	}
	return user, password, nil
}
