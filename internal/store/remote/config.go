package remote

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// file is the form of a store file.
type file struct {
	Type        schema.Text      `spec:"type,required" enum:"prometheus|mimir|cortex|thanos|victoriametrics" doc:"Kind of store."`
	URL         webAddress       `spec:"url,required" doc:"Base URL of the query API, without /api/v1 and without credentials."`
	WriteURL    webAddress       `spec:"writeURL" doc:"URL of remote write, with its path." default:"by the kind; Thanos has none"`
	Tenant      schema.Text      `spec:"tenant" doc:"Tenant, sent as X-Scope-OrgID, to Thanos as THANOS-TENANT."`
	RemoteWrite schema.Text      `spec:"remoteWrite" enum:"auto|1.0|2.0" doc:"Version of the remote write protocol." default:"auto"`
	Headers     []headerSpec     `spec:"headers" doc:"Headers that are sent with every request."`
	TokenFile   schema.Text      `spec:"bearerTokenFile" doc:"File with a bearer token."`
	BasicAuth   *basicAuthSpec   `spec:"basicAuth" doc:"User and password."`
	TLS         *tlsSpec         `spec:"tls" doc:"Certificates."`
	Timeout     *schema.Duration `spec:"timeout" min:"1s" max:"5m" doc:"Time for one request." default:"30s"`
	Attempts    *schema.Decimal  `spec:"attempts" min:"1" max:"10" doc:"Attempts of one request; the tick is tried again besides." default:"3"`
	Concurrency *schema.Decimal  `spec:"concurrency" min:"1" max:"256" doc:"Queries at the same time." default:"8"`
	Backfill    *schema.Duration `spec:"backfill" min:"1m" max:"400d" doc:"How far back the past of a new SLO is evaluated." default:"1h"`
	At          yamlsrc.Value
}

type headerSpec struct {
	Name  schema.Text `spec:"name,required" doc:"Name of the header."`
	Value schema.Text `spec:"value" oneof:"value" doc:"Its value, if it is no secret."`
	File  schema.Text `spec:"valueFile" oneof:"value" doc:"File with its value."`
	At    yamlsrc.Value
}

type basicAuthSpec struct {
	User         schema.Text `spec:"user,required" doc:"User."`
	PasswordFile schema.Text `spec:"passwordFile,required" doc:"File with the password."`
	At           yamlsrc.Value
}

type tlsSpec struct {
	CA         schema.Text `spec:"caFile" doc:"PEM file with the authorities to trust." default:"those of the system"`
	Cert       schema.Text `spec:"certFile" doc:"PEM file with our certificate."`
	Key        schema.Text `spec:"keyFile" doc:"PEM file with its key."`
	ServerName schema.Text `spec:"serverName" doc:"Name in the certificate of the store." default:"the host of the URL"`
	At         yamlsrc.Value
}

// webAddress is a URL without secrets.
type webAddress struct {
	V  string
	At yamlsrc.Value
}

// Read implements schema.Reader.
func (a *webAddress) Read(v yamlsrc.Value, r schema.Rule) diag.List {
	a.At = v
	var text schema.Text
	if l := text.Read(v, r); l != nil {
		return l
	}
	if _, err := address(text.V); err != nil {
		return diag.List{v.Error(diag.BadURL, err.Error(), "credentials go into bearerTokenFile or basicAuth")}
	}
	a.V = text.V
	return nil
}

// Describe implements schema.Reader.
func (*webAddress) Describe(schema.Rule) map[string]any {
	return map[string]any{"type": "string", "format": "uri"}
}

// Read reads a store file, for instance
//
//	type: mimir
//	url: https://mimir.example.com/prometheus
//	tenant: shop
//	bearerTokenFile: token
//
// Paths in it are relative to its directory. It returns everything that is wrong with the text; the options are of use
// only if that is nothing. It reads no other file.
func Read(name string, text []byte) (Options, diag.List) {
	roots, found := yamlsrc.Parse(name, text)
	if found.Failed() || len(roots) != 1 {
		if !found.Failed() {
			at := diag.Pos{File: name, Line: 1, Col: 1}
			found.Add(diag.Diag{Pos: at, Sev: diag.Error, Code: diag.WrongType, Len: 1, Msg: fmt.Sprintf("want one document, have %d", len(roots))})
		}
		return Options{}, found
	}
	var f file
	var d schema.Decoder
	found = append(found, d.Decode(roots[0], &f)...)
	found = append(found, f.contradictions()...)
	if found.Failed() {
		found.Sort()
		return Options{}, found
	}
	return f.options(filepath.Dir(name)), found
}

// contradictions returns what is wrong between fields.
func (f *file) contradictions() diag.List {
	var out diag.List
	if f.TokenFile.V != "" && f.BasicAuth != nil {
		out.Add(f.BasicAuth.At.Error(diag.OneOf, "want bearerTokenFile or basicAuth, have both", "a request has room for one of them"))
	}
	if f.Type.V == string(Thanos) && f.WriteURL.V == "" {
		out.Add(f.At.Error(diag.MissingField, "a store of type thanos needs writeURL", "that of Receive, for example http://receive:19291/api/v1/receive"))
	}
	if t := f.TLS; t != nil && (t.Cert.V == "") != (t.Key.V == "") {
		out.Add(t.At.Error(diag.MissingField, "want certFile and keyFile, have one of them", ""))
	}
	for _, h := range f.Headers {
		switch strings.ToLower(h.Name.V) {
		case "authorization", "x-scope-orgid", "thanos-tenant", "content-type", "content-encoding", "host":
			out.Add(h.Name.At.Error(diag.WrongValue, fmt.Sprintf("the header %s is set by other fields", h.Name.V), "see tenant, bearerTokenFile and basicAuth"))
		}
	}
	return out
}

// options translates a file that is right.
func (f *file) options(dir string) Options {
	path := func(t schema.Text) string {
		if t.V == "" || filepath.IsAbs(t.V) {
			return t.V
		}
		return filepath.Join(dir, t.V)
	}
	o := Options{
		Type: Type(f.Type.V), URL: f.URL.V, WriteURL: f.WriteURL.V, Tenant: f.Tenant.V, Version: Version(f.RemoteWrite.V),
		BearerTokenFile: path(f.TokenFile), Headers: map[string]string{}, HeaderFiles: map[string]string{},
	}
	for _, h := range f.Headers {
		if h.File.V != "" {
			o.HeaderFiles[h.Name.V] = path(h.File)
		} else {
			o.Headers[h.Name.V] = h.Value.V
		}
	}
	if a := f.BasicAuth; a != nil {
		o.User, o.PasswordFile = a.User.V, path(a.PasswordFile)
	}
	if t := f.TLS; t != nil {
		o.CAFile, o.CertFile, o.KeyFile, o.ServerName = path(t.CA), path(t.Cert), path(t.Key), t.ServerName.V
	}
	if f.Timeout != nil {
		o.Timeout = f.Timeout.V
	}
	if f.Backfill != nil {
		o.Backfill = f.Backfill.V
	}
	o.Attempts, o.Concurrency = whole(f.Attempts), whole(f.Concurrency)
	return o
}

// whole returns a number without what is behind its point; 0 if it is not written.
func whole(d *schema.Decimal) int {
	if d == nil || d.V == nil {
		return 0
	}
	n, _ := d.V.Float64()
	return int(n)
}
