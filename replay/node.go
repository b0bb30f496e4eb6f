package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// isURL reports whether a LOG is a live node.
func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// nodeClient asks a live node: it goes where it is told and nowhere else.
func nodeClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second},
	}
}

// get asks a node. The caller closes the answer.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := nodeClient().Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	err = fmt.Errorf("GET %s: %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	if resp.StatusCode == http.StatusGone {
		err = fmt.Errorf("%w: %w", ErrNotKept, err)
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
	body, err := get(ctx, base+"/cluster")
	if err != nil {
		return ""
	}
	defer body.Close()
	var c struct{ Name string }
	if json.NewDecoder(io.LimitReader(body, maxFile)).Decode(&c) != nil {
		return ""
	}
	return c.Name
}
