package clusterkit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
	"github.com/skshohagmiah/clusterkit/events"
)

// shortDay is what a day lasts here: it is a day of probing, and of waiting.
const shortDay = 12 * time.Minute

// inShortDays runs a story with four nodes whose last one, n3, will go.
func inShortDays(t *testing.T, story func(b *bubble)) {
	inBubbleWith(t, 4, func(_ int, o *clusterkit.Options) { clusterkit.ForgetAfter(o, shortDay) }, func(b *bubble) {
		b.until("balance", 30*time.Second, b.nodes, balanced(4, 16, 3))
		b.agree(10*time.Second, b.nodes)
		story(b)
	})
}

// keeps returns what a node still knows of n3: its registers, its name in
// /cluster, and for how many quarters of a day the floor has been known.
func (b *bubble) keeps(ck *clusterkit.ClusterKit, log events.LogID) (what []string, quarters uint8) {
	b.t.Helper()
	names, quarters, err := clusterkit.Registers(context.Background(), ck)
	if err != nil {
		b.t.Fatal(err)
	}
	about := []string{events.NodeRegister("n3"), events.AccusationRegister("n3"), events.AdminRegister("n3"), events.LogRegister(log)}
	for _, name := range names {
		if slices.Contains(about, name) {
			what = append(what, name)
		}
	}
	w := httptest.NewRecorder()
	ck.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cluster", nil))
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"n3"`) {
		what = append(what, "/cluster")
	}
	return what, quarters
}

// restart stops a node and starts it again a moment later, after doing something
// to its directory.
func (b *bubble) restart(i int, meanwhile func(dir string)) {
	b.t.Helper()
	if err := b.nodes[i].Stop(); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(time.Second)
	if meanwhile != nil {
		meanwhile(filepath.Join(b.dir, string(rune('0'+i))))
	}
	b.nodes[i] = b.start(i)
}

func (b *bubble) copyDir(from, to string) {
	b.t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		b.t.Fatal(err)
	}
}

// forgotten lets time pass until nobody knows of n3 any more, while the
// coordinator is restarted three times a day.
func (b *bubble) forgotten(log events.LogID) {
	b.t.Helper()
	rest := b.nodes[:3]
	began, restarted, most := time.Now(), time.Now(), uint8(0)
	for {
		kept := false
		for _, ck := range rest {
			what, quarters := b.keeps(ck, log)
			kept, most = kept || len(what) > 0, max(most, quarters)
		}
		if !kept {
			break
		}
		if time.Since(began) > shortDay*3/2 {
			b.t.Fatal("n3 is not forgotten after a day and a half")
		}
		time.Sleep(shortDay / 60)
		if time.Since(restarted) > shortDay/3 {
			restarted = time.Now()
			i := slices.IndexFunc(rest, func(ck *clusterkit.ClusterKit) bool { return ck.NodeID() == rest[0].Cluster().Coordinator })
			b.restart(i, nil)
		}
	}
	if took := time.Since(began); took < shortDay || most != 3 {
		b.t.Errorf("forgotten after %v of a day of %v, with %d quarters written down", took, shortDay, most)
	}
	b.until("balance without it", time.Minute, rest, balanced(3, 16, 3))
	b.agree(10*time.Second, rest)
}

// TestReturnAfterLeaving: a node that left is forgotten a day later, however
// often the coordinator restarts meanwhile. It does not come back with an old
// backup of another node. It comes back by itself, with its old directory and in
// a new log.
func TestReturnAfterLeaving(t *testing.T) {
	inShortDays(t, func(b *bubble) {
		backup := filepath.Join(b.dir, "backup")
		b.restart(2, func(dir string) { b.copyDir(dir, backup) })
		b.until("everybody is back", time.Minute, b.nodes, balanced(4, 16, 3))
		if _, err := b.nodes[3].Set(context.Background(), "k", []byte("by n3")); err != nil {
			t.Fatal(err)
		}
		n, _ := b.nodes[0].Cluster().Node("n3")
		if _, err := b.nodes[3].Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		b.forgotten(n.Log)

		b.restart(2, func(dir string) { b.copyDir(backup, dir) })
		b.until("n2 is back from its backup", time.Minute, b.nodes[:3], balanced(3, 16, 3))
		time.Sleep(2 * shortDay)
		b.agree(10*time.Second, b.nodes[:3])
		for _, ck := range b.nodes[:3] {
			if what, _ := b.keeps(ck, n.Log); len(what) > 0 {
				t.Errorf("%s has %v again", ck.NodeID(), what)
			}
			if v, ok := ck.Value("k"); !ok || string(v.Bytes) != "by n3" {
				t.Errorf("%s does not know what n3 wrote: %q", ck.NodeID(), v.Bytes)
			}
		}

		b.nodes[3] = b.start(3)
		b.until("n3 is back", time.Minute, b.nodes, balanced(4, 16, 3))
		b.agree(10*time.Second, b.nodes)
		if back, _ := b.nodes[0].Cluster().Node("n3"); back.Incarnation <= n.Incarnation || back.Log == n.Log {
			t.Errorf("it is back as %+v, and was %+v", back, n)
		}
		if _, err := b.nodes[3].Set(context.Background(), "k", []byte("again")); err != nil {
			t.Errorf("a command of the one that is back: %v", err)
		}
		b.until("all know it", 10*time.Second, b.nodes, func(*clusterkit.Cluster) bool {
			return !slices.ContainsFunc(b.nodes, func(ck *clusterkit.ClusterKit) bool { v, _ := ck.Value("k"); return string(v.Bytes) != "again" })
		})
	})
}

// TestReturnAfterRemoval: a node that was removed while it was down is forgotten
// a day later, all but its log. With that it is told that it was removed; with
// an empty directory it may return.
func TestReturnAfterRemoval(t *testing.T) {
	inShortDays(t, func(b *bubble) {
		n, _ := b.nodes[0].Cluster().Node("n3")
		if err := b.nodes[3].Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.nodes[0].Remove(context.Background(), "n3"); err != nil {
			t.Fatal(err)
		}
		b.forgotten(n.Log)

		digest := b.nodes[0].Cluster().Digest
		b.nodes[3] = b.start(3)
		awaitRemoved(t, b.nodes[3], 10*time.Second)
		if err := b.nodes[3].Stop(); err != nil {
			t.Error(err)
		}
		o := b.options(3)
		if _, err := clusterkit.NewClusterKit(o); !errors.Is(err, clusterkit.ErrRemoved) {
			t.Errorf("started again: %v, want ErrRemoved", err)
		}
		if err := o.Listener.Close(); err != nil {
			t.Error(err)
		}
		if b.agree(0, b.nodes[:3]); b.nodes[0].Cluster().Digest != digest {
			t.Error("it has changed something")
		}

		b.dir = filepath.Join(b.dir, "new")
		b.nodes[3] = b.start(3)
		b.until("n3 is back with a new log", time.Minute, b.nodes, balanced(4, 16, 3))
		b.agree(10*time.Second, b.nodes)
		if back, _ := b.nodes[0].Cluster().Node("n3"); back.Incarnation <= n.Incarnation || back.Log == n.Log {
			t.Errorf("it is back as %+v", back)
		}
	})
}
