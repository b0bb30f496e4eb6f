package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/spf13/pflag"
)

// tokenVariable is where the token is, unless --token-file says otherwise. A
// token is never a flag: everybody may read the arguments of a process.
const tokenVariable = "CLUSTERKIT_TOKEN"

// nodeFlags say how to ask live nodes. Their names are those of curl.
type nodeFlags struct{ token, ca, cert, key string }

func (f *nodeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.token, "token-file", "", "`file` with the read token of live nodes that have a Secret; or $"+tokenVariable)
	flags.StringVar(&f.ca, "cacert", "", "`file` of PEM certificates to trust at https nodes, instead of the system's")
	flags.StringVar(&f.cert, "cert", "", "`file` with the PEM certificate to show to https nodes")
	flags.StringVar(&f.key, "key", "", "`file` with its PEM key")
}

// with returns a context in which live nodes are asked as the flags say.
func (f *nodeFlags) with(ctx context.Context) (context.Context, error) {
	c := replay.Credentials{Token: strings.TrimSpace(os.Getenv(tokenVariable))}
	if f.token != "" {
		b, err := os.ReadFile(f.token)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		if c.Token = strings.TrimSpace(string(b)); c.Token == "" {
			return nil, usagef("--token-file %s: it is empty", f.token)
		}
	}
	if f.ca != "" || f.cert != "" || f.key != "" {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		if c.TLS.RootCAs = x509.NewCertPool(); !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("--cacert %s: it holds no PEM certificate", f.ca)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, usagef("--cert and --key go together")
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		c.TLS.Certificates = []tls.Certificate{pair}
	}
	return replay.WithCredentials(ctx, c), nil
}
