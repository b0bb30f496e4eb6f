package replay

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// isURL reports whether a LOG is a live node.
func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// Credentials are what live nodes are shown when they are asked.
type Credentials struct {
	// Token is the bearer token of a cluster with a Secret, as
	// transport.ReadToken makes it. It is sent to every node that is named.
	Token string
	// TLS is for https: whom to trust, and the certificate to show. Default:
	// the roots of the system, and none.
	TLS *tls.Config
}

// ErrUnauthorized is wrapped when a live node asks for another token.
var ErrUnauthorized = errors.New("the node asks for the read token of its cluster")

type credentialsKey struct{}

// WithCredentials returns a context in which live nodes are asked with c.
func WithCredentials(ctx context.Context, c Credentials) context.Context {
	return context.WithValue(ctx, credentialsKey{}, c)
}

// nodeClient asks a live node: it goes where it is told and nowhere else.
func nodeClient(c Credentials) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second, TLSClientConfig: c.TLS},
	}
}

// get asks a node. The caller closes the answer.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	with, _ := ctx.Value(credentialsKey{}).(Credentials)
	if with.Token != "" {
		req.Header.Set("Authorization", "Bearer "+with.Token)
	}
	resp, err := nodeClient(with).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	err = fmt.Errorf("GET %s: %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	switch resp.StatusCode {
	case http.StatusGone:
		err = fmt.Errorf("%w: %w", ErrNotKept, err)
	case http.StatusUnauthorized:
		err = fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	return nil, err
}

// openNode takes a copy of the events that a live node holds, and reads that.
// The node says neither when it received them nor in which place of its log
// they are, so the copy has an order and indexes of its own.
func openNode(ctx context.Context, name string) ([]*Source, error) {
	base := strings.TrimSuffix(name, "/")
	body, err := get(ctx, base+"/events")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer body.Close()
	all, err := spoolLines(ctx, body, name, KindNode)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	all[0].cluster = clusterOf(ctx, base)
	return all, nil
}

// clusterOf returns the name of the cluster that a live node is in, or "".
func clusterOf(ctx context.Context, base string) string {
	c, err := askCluster(ctx, base)
	if err != nil {
		return ""
	}
	return c.Name
}

// liveCluster is what following a node needs of what it says of its cluster.
type liveCluster struct {
	Name   string
	Vector events.Vector
	Nodes  []struct {
		ID  string
		Log events.LogID
	}
}

func askCluster(ctx context.Context, base string) (*liveCluster, error) {
	body, err := get(ctx, base+"/cluster")
	if err != nil {
		return nil, err
	}
	c := new(liveCluster)
	err = json.NewDecoder(io.LimitReader(body, maxFile)).Decode(c)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("GET %s/cluster: %w", base, err)
	}
	return c, nil
}

// learnLive takes up whose logs are whose, as far as a live node says: those in
// which its members speak now. Of older logs, if there are, it is asked for the
// events that began them.
func (n *Names) learnLive(ctx context.Context, base string, c *liveCluster) {
	current := 0
	for _, node := range c.Nodes {
		if _, known := c.Vector[node.Log]; known {
			current++
		}
		n.add(node.Log, node.ID)
	}
	if current == len(c.Vector) {
		return
	}
	_ = eachEvent(ctx, base, "/events?type="+string(events.LogStarted), func(e *events.Event) error { // or LogIDs are shown
		n.Learn(e)
		return nil
	})
}
