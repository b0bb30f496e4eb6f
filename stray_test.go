package clusterkit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

// occupant is whoever answers at an address that used to be a member's. It
// counts what it answered.
type occupant struct {
	mu       sync.Mutex // guards answered
	answered map[int]int
	server   http.Server
}

// occupy answers at an address until the test of the bubble ends.
func (b *bubble) occupy(l net.Listener, h http.Handler) *occupant {
	o := &occupant{answered: make(map[int]int)}
	o.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&counter{w, o}, r)
	})
	done := make(chan struct{})
	go func() { // ends with close
		defer close(done)
		if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			b.t.Error(err)
		}
	}()
	return o
}

func (o *occupant) close(t *testing.T) {
	if err := o.server.Close(); err != nil {
		t.Error(err)
	}
}

func (o *occupant) count(status int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answered[status]
}

type counter struct {
	http.ResponseWriter
	of *occupant
}

func (c *counter) WriteHeader(status int) {
	c.of.mu.Lock()
	c.of.answered[status]++
	c.of.mu.Unlock()
	c.ResponseWriter.WriteHeader(status)
}

// stranger says that whoever asks was removed, and brings rubbish to whom asks
// for more.
func stranger(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGone)
		_, _ = io.WriteString(w, `{"error":{"code":"removed","message":"you were removed","fields":{"node":"`+name+`"}}}`)
	})
}

// TestRemovalWithoutEvidence: whoever has got the address of a former member
// cannot stop anybody by saying that he was removed, whoever it pretends to be;
// neither those that run nor one that starts.
func TestRemovalWithoutEvidence(t *testing.T) {
	for _, name := range []string{"", "n2", "n1", "../..", "somebody"} {
		t.Run("named "+strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
			inBubble(t, 3, func(b *bubble) {
				if err := b.nodes[2].Stop(); err != nil {
					t.Fatal(err)
				}
				l, err := b.net.Host(host(2)).Listen(80)
				if err != nil {
					t.Fatal(err)
				}
				o := b.occupy(l, stranger(name))
				defer o.close(t)
				time.Sleep(3 * time.Minute)
				if err := b.nodes[1].Stop(); err != nil {
					t.Fatal(err)
				}
				b.nodes[1] = b.start(1)
				b.until("n1 is back", time.Minute, b.nodes[:2], func(c *clusterkit.Cluster) bool { return alive(c) == 2 })
				time.Sleep(3 * time.Minute)
				for _, ck := range b.nodes[:2] {
					if err := ck.Err(); err != nil {
						t.Errorf("%s stopped: %v", ck.NodeID(), err)
					}
				}
				if o.count(http.StatusGone) == 0 {
					t.Error("nobody asked at that address: the test shows nothing")
				}
			})
		})
	}
}

// TestStrayAloneDoesNotKeepANodeOut: a restarted node that finds nobody but a
// stranger who says that it was removed speaks all the same.
func TestStrayAloneDoesNotKeepANodeOut(t *testing.T) {
	inBubble(t, 2, func(b *bubble) {
		for _, ck := range b.nodes {
			if err := ck.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		l, err := b.net.Host(host(0)).Listen(80)
		if err != nil {
			t.Fatal(err)
		}
		o := b.occupy(l, stranger("n0"))
		defer o.close(t)
		b.nodes[1] = b.start(1)
		b.until("n1 speaks", time.Minute, b.nodes[1:], func(c *clusterkit.Cluster) bool { return status(c, "n1") == "alive" })
		if err := b.nodes[1].Err(); err != nil {
			t.Error(err)
		}
	})
}

// TestRecycledAddress: at the address of a stopped member a node of another
// cluster comes to be, or another node of this one. It answers 409 or 421,
// nobody takes it for the member, and nothing is merged.
func TestRecycledAddress(t *testing.T) {
	for _, c := range []struct {
		name    string
		cluster string
		status  int
		code    transport.ErrorCode
	}{
		{"another cluster", "stranger", http.StatusConflict, transport.ErrorWrongCluster},
		{"another node", "bubble", http.StatusMisdirectedRequest, transport.ErrorWrongNode},
	} {
		t.Run(c.name, func(t *testing.T) {
			var gone atomic.Bool
			mute := func(i int, o *clusterkit.Options) {
				if dial := o.DialContext; i == 3 {
					o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if gone.Load() {
							return nil, errors.New("this host is gone")
						}
						return dial(ctx, network, addr)
					}
				}
			}
			inBubbleWith(t, 4, mute, func(b *bubble) {
				b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
				gone.Store(true)
				b.net.Crash(host(3)) // without a goodbye: it is probed for as long as it is not failed
				l, err := b.net.Host(host(3)).Listen(80)
				if err != nil {
					t.Fatal(err)
				}
				ck, err := clusterkit.NewClusterKit(clusterkit.Options{
					NodeID: "n7", AdvertiseAddr: addr(3), DialContext: b.net.Host("h7").DialContext, DataDir: filepath.Join(b.dir, "7"),
					Config: &clusterkit.Config{ClusterName: c.cluster, PartitionCount: 16, ReplicationFactor: 3},
				})
				if err != nil {
					t.Fatal(err)
				}
				o := b.occupy(l, ck.Handler())
				defer o.close(t)
				if err := ck.Start(); err != nil {
					t.Fatal(err)
				}
				b.until("n3 is failed", 30*time.Second, b.nodes[:3], func(c *clusterkit.Cluster) bool { return status(c, "n3") == "failed" })
				if n := o.count(c.status); n == 0 {
					t.Errorf("it answered %v, want %d", o.answered, c.status)
				}

				client := transport.NewClient(transport.ClientOptions{DialContext: b.net.Host("h8").DialContext})
				defer client.Close()
				_, err = client.Probe(context.Background(), addr(3), &transport.ProbeRequest{Header: transport.Header{Cluster: "bubble",
					From: "n0", FromLog: events.LogID{1}, To: "n3"}})
				var refusal *transport.Error
				if !errors.As(err, &refusal) || refusal.Status != c.status || refusal.Code != c.code || !errors.Is(err, transport.ErrWrongNode) {
					t.Errorf("a probe of n3 there: %v, want %d %s", err, c.status, c.code)
				}
				if c.cluster != "bubble" {
					time.Sleep(2 * time.Minute)
					if n := len(b.nodes[0].Cluster().Nodes); n != 4 {
						t.Errorf("%d nodes in the cluster, want 4", n)
					}
					if n := len(ck.Cluster().Nodes); n != 1 {
						t.Errorf("the other cluster has %d nodes, want 1", n)
					}
				}
				if err := ck.Stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
