package clusterkit_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/replay/cli"
	"github.com/skshohagmiah/clusterkit/transport"
)

// replayCommand runs one command of the CLI.
func replayCommand(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Main(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestReplayOfALiveNode asks the CLI about a node that runs, and about the
// directory it writes, and compares the answers.
func TestReplayOfALiveNode(t *testing.T) {
	const secret = "a secret of thirty-two characters"
	dirs := make([]string, 2)
	nodes := startAll(t, 2, func(i int, o *clusterkit.Options) { o.Secret, dirs[i] = secret, o.DataDir })
	await(t, "both joined", nodes, func(c *clusterkit.Cluster) bool { return len(c.Nodes) == 2 })
	if err := nodes[1].Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "a"} {
		if _, err := nodes[1].Set(t.Context(), key, []byte("v"+key)); err != nil {
			t.Fatal(err)
		}
	}
	awaitAgreement(t, "three values", nodes, func(c *clusterkit.Cluster) bool { return len(c.Vector) == 2 })
	live := "http://" + nodes[0].Addr()

	if code, out, errs := replayCommand("log", live); code != 3 || !strings.Contains(errs, "--token-file") || out != "" {
		t.Errorf("without a token log exits %d: %s%s", code, out, errs)
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(transport.ReadToken(secret, "test")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := replayCommand(append(args, "--token-file", token)...)
		if code != want {
			t.Errorf("%s exits %d, want %d: %s%s", args, code, want, out, errs)
		}
		return out
	}
	old := filepath.Join(t.TempDir(), "old.jsonl")
	if err := os.WriteFile(old, []byte(answer(0, "export", dirs[1])), 0o600); err != nil {
		t.Fatal(err)
	}
	there := answer(0, "log", live, "-o", "jsonl", "--type", "Value*")
	here := answer(0, "log", dirs[0], "-o", "jsonl", "--type", "Value*")
	if a, b := lineIDs(t, there), lineIDs(t, here); len(a) != 3 || strings.Join(a, " ") != strings.Join(b, " ") {
		t.Errorf("the node shows %v, its directory %v", a, b)
	}
	if out := answer(0, "converge", live, dirs[0], dirs[1]); !strings.Contains(out, "equal") {
		t.Errorf("converge says %s", out)
	}
	if out := answer(0, "diff", live, dirs[1]); strings.Contains(out, "value/") {
		t.Errorf("diff says %s", out)
	}
	if digest := nodes[0].Cluster().Digest.String(); !strings.Contains(answer(0, "state", live, "-o", "json"), digest) {
		t.Errorf("state does not come to the digest of the node, %s", digest)
	}
	if out := answer(0, "blame", "value/a", live); !strings.Contains(out, "n1:") {
		t.Errorf("blame says %s", out)
	}
	answer(0, "stats", live)
	answer(0, "verify", live)
	whole := lineIDs(t, answer(0, "follow", live, "--since", "first", "--until", "head", "-o", "jsonl"))
	if place := lineIDs(t, there)[0]; len(whole) < 5 {
		t.Errorf("follow --until head shows %v", whole)
	} else {
		got := lineIDs(t, answer(0, "follow", live, "--since", "first", "--until", place, "-o", "jsonl"))
		if want := whole[:slices.Index(whole, place)+1]; !slices.Equal(got, want) {
			t.Errorf("follow --until %s shows %v, want %v", place, got, want)
		}
		part := answer(0, "export", live, "--until", place)
		if !strings.Contains(part, `"part":{`) || !strings.Contains(part, place) {
			t.Errorf("export --until %s prints %s", place, part)
		}
	}
	answer(0, "follow", live, "--until", "+200ms")

	if _, err := nodes[0].Set(t.Context(), "c", []byte("vc")); err != nil {
		t.Fatal(err)
	}
	if out := answer(1, "converge", live, old); !strings.Contains(out, "behind") {
		t.Errorf("converge with an older log says %s", out)
	}
}

// lineIDs reads those of JSON lines.
func lineIDs(t *testing.T, lines string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// TestFollowALiveNode follows a node, goes on with the cursor after it was
// restarted, and sees each event once, by the names of the nodes.
func TestFollowALiveNode(t *testing.T) {
	o := options(t, 0)
	ck := start(t, o)
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := func(ck *clusterkit.ClusterKit, key string) {
		t.Helper()
		if _, err := ck.Set(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(ck, "first")
	cursor := filepath.Join(t.TempDir(), "cursor")
	follow := func(ck *clusterkit.ClusterKit) string {
		t.Helper()
		code, out, errs := replayCommand("follow", "http://"+ck.Addr(), "--since", "first", "--type", "Value*", "--cursor", cursor, "--until-caught-up")
		if code != 0 {
			t.Fatalf("follow exits %d: %s%s", code, out, errs)
		}
		return out
	}
	if out := follow(ck); !strings.Contains(out, "value/first") || !strings.Contains(out, "n0:") {
		t.Errorf("follow shows\n%s", out)
	}
	set(ck, "second")
	if err := ck.Stop(); err != nil {
		t.Fatal(err)
	}
	ck = start(t, o)
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	set(ck, "third")
	out := follow(ck)
	if strings.Contains(out, "value/first") || !strings.Contains(out, "value/second") || !strings.Contains(out, "value/third") ||
		strings.Contains(out, ck.Cluster().Nodes[0].Log.String()) {
		t.Errorf("after the restart follow shows\n%s", out)
	}
	if out := follow(ck); strings.Contains(out, "value/") {
		t.Errorf("with nothing new follow shows\n%s", out)
	}
	if _, err := ck.Set(t.Context(), "fourth", []byte("there")); err != nil {
		t.Fatal(err)
	}
	set(ck, "fifth")
	for _, from := range [][]string{{"--since", "first"}, {"-n", "1"}} { // which is in front of what is asked for, and behind
		words := append([]string{"follow", "http://" + ck.Addr(), "--until-caught-up", "--where", `value("fourth") == "there"`}, from...)
		if code, out, errs := replayCommand(words...); code != 0 || strings.Contains(out, "value/fourth") || !strings.Contains(out, "value/fifth") {
			t.Errorf("%v exits %d: %s%s", words, code, out, errs)
		}
	}
}

// TestReplayOverTLS asks a node that listens with a certificate of its own.
func TestReplayOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	certificates := server.TLS.Certificates
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, 0)
	o.TLS = &tls.Config{Certificates: certificates, RootCAs: pool, MinVersion: tls.VersionTLS12}
	ck := start(t, o)
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := replayCommand("log", "https://"+ck.Addr(), "--cacert", file); code != 0 || !strings.Contains(out, "NodeJoined") {
		t.Errorf("log exits %d: %s%s", code, out, errs)
	}
	if code, _, errs := replayCommand("log", "https://"+ck.Addr()); code != 3 || !strings.Contains(errs, "certificate") {
		t.Errorf("without --cacert log exits %d: %s", code, errs)
	}
	for _, wrong := range [][]string{{"--cacert", "nowhere"}, {"--cert", file}, {"--token-file", os.DevNull}} {
		if code, _, errs := replayCommand(append([]string{"log", "https://" + ck.Addr()}, wrong...)...); code != 2 && code != 3 || !strings.Contains(errs, wrong[0]) {
			t.Errorf("%v exits %d: %s", wrong, code, errs)
		}
	}
}

// TestReplayShowsACertificate asks a node that answers nobody who has none.
func TestReplayShowsACertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "auditor"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	o := options(t, 0)
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	ck := start(t, o)
	if err := ck.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	live := "https://" + ck.Addr()
	for _, command := range []string{"log", "state", "verify", "follow --since first --until-caught-up"} {
		args := append(strings.Fields(command), live, "--cacert", certFile, "--cert", certFile, "--key", keyFile)
		if code, out, errs := replayCommand(args...); code != 0 || out == "" {
			t.Errorf("%s exits %d: %s%s", command, code, out, errs)
		}
	}
	if code, out, errs := replayCommand("log", live, "--cacert", certFile); code != 3 || out != "" || !strings.Contains(errs, "certificate") {
		t.Errorf("without a certificate log exits %d: %s%s", code, out, errs)
	}
}
