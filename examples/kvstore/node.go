package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

type nodeOptions struct {
	id, addr, dir string
	known         []string
	verbose       bool
}

const (
	partitions  = 32
	maxValue    = 1 << 20
	forwarded   = "Kvstore-Forwarded" // set on a request that another node passed on
	copyTimeout = 2 * time.Second
	retryAfter  = 200 * time.Millisecond
)

// node is one process of the application.
type node struct {
	ck     *clusterkit.ClusterKit
	store  *store
	client *http.Client
}

// runNode serves until ctx ends, then leaves with a goodbye.
func runNode(ctx context.Context, o nodeOptions, stdout, stderr io.Writer) error {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	ck, err := clusterkit.NewClusterKit(clusterkit.Options{
		NodeID:        o.id,
		AdvertiseAddr: listener.Addr().String(), // the application serves Handler itself
		KnownNodes:    o.known,
		DataDir:       o.dir,
		Config:        &clusterkit.Config{ClusterName: "kvstore", PartitionCount: partitions, ReplicationFactor: 2},
		Logger:        slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})).With("node", o.id),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	n := &node{ck: ck, store: newStore(), client: &http.Client{Timeout: 5 * time.Second}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kv/{key}", n.get)
	mux.HandleFunc("PUT /kv/{key}", n.put)
	mux.HandleFunc("DELETE /kv/{key}", n.put)
	mux.HandleFunc("GET /copy/{partition}", n.giveCopy)
	mux.HandleFunc("POST /copy/{partition}", n.takeCopy)
	mux.Handle("/", ck.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(listener) }) // ends with Shutdown
	wg.Go(func() { n.followOwnership(ctx) }) // ends with ctx
	if err := ck.Start(); err != nil {
		server.Close()
		return err
	}
	fmt.Fprintf(stdout, "serving %s\n", listener.Addr())
	<-ctx.Done()
	err = ck.Stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(end) != nil {
		server.Close()
	}
	wg.Wait()
	return err
}

// followOwnership fetches the partitions that this node comes to hold and hands
// over those it no longer holds, again until that succeeds.
func (n *node) followOwnership(ctx context.Context) {
	for ctx.Err() == nil {
		seen := n.ck.Cluster()
		settled := n.settle(ctx)
		wait, cancel := context.WithCancel(ctx)
		if !settled {
			wait, cancel = context.WithTimeout(ctx, retryAfter)
		}
		for now := range n.ck.Watch(wait) {
			if now != seen {
				break
			}
		}
		cancel()
	}
}

// settle reports whether nothing is left to fetch or to hand over.
func (n *node) settle(ctx context.Context) bool {
	settled := true
	for _, p := range n.ck.PartitionsOf(n.ck.NodeID()) {
		if !n.store.isComplete(p.ID) && !n.fetch(ctx, p) {
			settled = false
		}
	}
	for _, id := range n.store.held() {
		p := n.ck.Cluster().Partition(id)
		if p == nil || p.HeldBy(n.ck.NodeID()) {
			continue
		}
		if n.handOver(ctx, *p) {
			n.store.drop(id)
		} else {
			settled = false
		}
	}
	return settled
}

// fetch takes the partition from its other live copies, and reports whether
// all of them answered. A node alone has all there is.
func (n *node) fetch(ctx context.Context, p clusterkit.Partition) bool {
	for _, other := range n.otherCopies(p) {
		entries, err := n.askCopy(ctx, other, p.ID)
		if err != nil {
			return false
		}
		if !n.store.merge(p.ID, p.Token(), entries) {
			return false // a newer owner has written: look again
		}
	}
	n.store.setComplete(p.ID)
	return true
}

func (n *node) askCopy(ctx context.Context, from clusterkit.Node, partition int) (entries map[string]entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", copyURL(from, partition), nil)
	if err != nil {
		return nil, err
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return entries, json.NewDecoder(resp.Body).Decode(&entries)
}

// handOver gives a partition that this node no longer holds to those who do,
// before it is dropped here: a copy that moves is never the only one.
func (n *node) handOver(ctx context.Context, p clusterkit.Partition) bool {
	entries, to := n.store.copyOf(p.ID), n.otherCopies(p)
	for _, other := range to {
		if n.sendCopy(ctx, other, p, entries) != nil {
			return false
		}
	}
	return len(to) > 0
}

// otherCopies returns the live nodes, beside this one, that hold a partition.
func (n *node) otherCopies(p clusterkit.Partition) []clusterkit.Node {
	var others []clusterkit.Node
	cluster := n.ck.Cluster()
	for _, id := range append([]string{p.Primary}, p.Replicas...) {
		if m, ok := cluster.Node(id); ok && id != n.ck.NodeID() && m.Status == "alive" {
			others = append(others, *m)
		}
	}
	return others
}

func copyURL(to clusterkit.Node, partition int) string {
	return "http://" + to.Addr + "/copy/" + strconv.Itoa(partition)
}

func (n *node) giveCopy(w http.ResponseWriter, r *http.Request) {
	p, ok := partitionOf(w, r)
	if ok {
		json.NewEncoder(w).Encode(n.store.copyOf(p))
	}
}

// errStale is why a write is refused that comes under an ownership that has
// been followed by another one.
var errStale = errors.New("a newer owner is known: this one is stale")

// takeCopy accepts what an owner has written, unless a newer owner has written
// here or is known of: then the sender is stale and must not acknowledge its
// write. It is the resource that compares fencing tokens.
func (n *node) takeCopy(w http.ResponseWriter, r *http.Request) {
	p, ok := partitionOf(w, r)
	if !ok {
		return
	}
	var token clusterkit.Token
	err := token.UnmarshalText([]byte(r.URL.Query().Get("token")))
	var entries map[string]entry
	if err == nil {
		err = json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*maxValue)).Decode(&entries)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if now := n.ck.Cluster().Partition(p); now != nil && token.Compare(now.Token()) < 0 || !n.store.merge(p, token, entries) {
		http.Error(w, errStale.Error(), http.StatusConflict)
	}
}

func partitionOf(w http.ResponseWriter, r *http.Request) (int, bool) {
	p, err := strconv.Atoi(r.PathValue("partition"))
	if err != nil || p < 0 || p >= partitions {
		http.Error(w, "no such partition", http.StatusNotFound)
		return 0, false
	}
	return p, true
}

// get answers from the owner, or from a copy when the owner does not answer.
func (n *node) get(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	p := n.ck.Partition(key)
	if p.Primary != n.ck.NodeID() && r.Header.Get(forwarded) == "" {
		for _, to := range n.otherCopies(p) {
			if n.forward(w, r, to, nil) {
				return
			}
		}
	}
	if p.Primary == n.ck.NodeID() && !n.store.isComplete(p.ID) {
		n.fetch(r.Context(), p)
	}
	e, ok := n.store.read(p.ID, key)
	if !ok {
		http.Error(w, "no such key", http.StatusNotFound)
		return
	}
	w.Header().Set("Kvstore-Owner", p.Primary)
	w.Write(e.Value)
}

// put writes at all live copies and then at the owner before it answers, under
// the ownership that held when the request came: however long it takes from here,
// a copy that knows of a later owner refuses it.
func (n *node) put(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	p := n.ck.Partition(key)
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if p.Primary != n.ck.NodeID() {
		owner, ok := n.ck.Cluster().Node(p.Primary)
		if !ok || r.Header.Get(forwarded) != "" || !n.forward(w, r, *owner, value) {
			http.Error(w, "the owner of the key's partition is not known or does not answer; try again", http.StatusServiceUnavailable)
		}
		return
	}
	written := map[string]entry{key: n.store.version(p.ID, key, entry{Value: value, Deleted: r.Method == "DELETE", Epoch: p.Epoch})}
	for _, to := range n.otherCopies(p) {
		if err = n.sendCopy(r.Context(), to, p, written); err != nil {
			break
		}
	}
	if err == nil && !n.store.merge(p.ID, p.Token(), written) {
		err = errStale
	}
	switch {
	case errors.Is(err, errStale):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		w.Header().Set("Kvstore-Owner", p.Primary)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (n *node) sendCopy(ctx context.Context, to clusterkit.Node, p clusterkit.Partition, entries map[string]entry) error {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	body, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	url := copyURL(to, p.ID) + "?token=" + p.Token().String()
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return fmt.Errorf("copy to %s: %w", to.ID, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusConflict {
		return fmt.Errorf("copy to %s: %w", to.ID, errStale)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("copy to %s: %s", to.ID, resp.Status)
	}
	return nil
}

// forward passes a request on and reports whether there was an answer.
func (n *node) forward(w http.ResponseWriter, r *http.Request, to clusterkit.Node, body []byte) bool {
	ctx, cancel := context.WithTimeout(r.Context(), copyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+to.Addr+r.URL.EscapedPath(), bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set(forwarded, n.ck.NodeID())
	resp, err := n.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if r.Method == "GET" && resp.StatusCode >= 500 {
		return false
	}
	w.Header().Set("Kvstore-Owner", resp.Header.Get("Kvstore-Owner"))
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
	return true
}
