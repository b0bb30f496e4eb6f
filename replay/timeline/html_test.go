package timeline_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
	"github.com/skshohagmiah/clusterkit/replay/timeline"
)

func page(t testing.TB, tl *timeline.Timeline) string {
	t.Helper()
	var b bytes.Buffer
	if err := tl.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPagePolicy holds that a page may run its own script and use its own style
// and nothing else, and that it needs nothing else.
func TestPagePolicy(t *testing.T) {
	incident(t)
	text := page(t, build(t, timeline.Options{}, "n1", "n2"))
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	if policy == nil {
		t.Fatal("no policy")
	}
	for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy[1], want) {
			t.Errorf("the policy lacks %s: %s", want, policy[1])
		}
	}
	if strings.Contains(policy[1], "unsafe") {
		t.Errorf("the policy allows too much: %s", policy[1])
	}
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(text, -1)
	styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(text, -1)
	if len(scripts) != 1 || len(styles) != 1 {
		t.Fatalf("%d scripts and %d styles, want one of each", len(scripts), len(styles))
	}
	for name, inside := range map[string]string{"script-src": scripts[0][1], "style-src": styles[0][1]} {
		sum := sha256.Sum256([]byte(inside))
		if want := name + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy[1], want) {
			t.Errorf("the policy lacks %s: %s", want, policy[1])
		}
	}
	// No network: the only address is the name of SVG.
	if bare := strings.ReplaceAll(text, "http://www.w3.org/2000/svg", ""); regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]|<link|@import|url\(`).MatchString(bare) {
		t.Error("the page refers to something outside")
	}
	for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=", " onclick="} {
		if strings.Contains(text, banned) {
			t.Errorf("the page has %s", banned)
		}
	}
	if !strings.Contains(text, "<noscript>") || !strings.Contains(text, "<svg") {
		t.Error("no still picture for readers without scripts")
	}
}

// evil is what a name must not be able to do.
const evil = `</script><img src=x onerror=alert(1)><!--"'&` + "\u2028"

// evilHistory writes a history full of such names.
func evilHistory(t *testing.T, dir string) {
	h := replaytest.New(t, dir)
	h.Cluster = evil
	n := h.Node("n1")
	n.Join(evil)
	claim := n.Claim(evil)
	n.Configure(4, 2, claim.ID())
	for p := range 4 {
		n.Assign(p, []string{evil, "n1"}, evil, evil, claim.ID())
	}
	time.Sleep(time.Second)
	n.Set(evil, evil)
	n.Emit(events.Event{Type: "app/" + events.Type(evil), Actor: evil, Body: []byte(evil)})
	h.Close()
}

// TestEvilNames holds that names and texts of a log stay text, in every format.
func TestEvilNames(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { evilHistory(t, dir) })
	tl := build(t, timeline.Options{}, filepath.Join(dir, "n1"))
	if got := tl.Views[0]; len(got.Partitions) != 4 {
		t.Fatalf("%d partitions", len(got.Partitions))
	}
	text := page(t, tl)
	if strings.Contains(text, "<img") || strings.Count(text, "</script>") != 3 || strings.Contains(text, "<!--") {
		t.Error("a name became markup")
	}
	if !strings.Contains(text, `\u003c/script\u003e`) {
		t.Error("the name is not there at all")
	}
	var svg bytes.Buffer
	if err := tl.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(svg.String(), "<img") || strings.Contains(svg.String(), "script>") {
		t.Error("a name became markup of the SVG")
	}
}

// TestSameBytes holds that equal input gives equal pages.
func TestSameBytes(t *testing.T) {
	incident(t)
	a, b := page(t, build(t, timeline.Options{}, "n1", "n2", "n3")), page(t, build(t, timeline.Options{}, "n1", "n2", "n3"))
	if a != b {
		t.Error("two pages of the same logs differ")
	}
}
