package metrics_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/skshohagmiah/clusterkit/metrics"
)

// vocabulary is what an expression may speak of: metrics, and the values of
// their labels.
type vocabulary map[string]map[string]map[string]bool // name, label, value

// anyValue are the labels whose values are not known beforehand.
var anyValue = []string{"cluster", "node", "peer", "version", "go_version"}

// targetLabels come from Prometheus itself.
var targetLabels = []string{"job", "instance", "le"}

func newVocabulary(t *testing.T) vocabulary {
	m := metrics.New(options("n1"))
	populate(m)
	v := make(vocabulary)
	for _, f := range gather(t, m) {
		labels := make(map[string]map[string]bool)
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				if labels[l.GetName()] == nil {
					labels[l.GetName()] = make(map[string]bool)
				}
				labels[l.GetName()][l.GetValue()] = true
			}
		}
		v[f.GetName()] = labels
		if f.GetType() == dto.MetricType_HISTOGRAM {
			delete(v, f.GetName()) // a classic histogram has no series of its own name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				v[f.GetName()+suffix] = labels
			}
		}
	}
	return v
}

var (
	selector = regexp.MustCompile(`(clusterkit_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
)

// check holds an expression to the vocabulary and returns the metrics in it.
func (v vocabulary) check(t *testing.T, where, expr string) (used []string) {
	t.Helper()
	known := slices.Clone(targetLabels)
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		name, matchers := s[1], s[2]
		labels, ok := v[name]
		if !ok {
			t.Errorf("%s: there is no %s", where, name)
			continue
		}
		used = append(used, name)
		known = slices.AppendSeq(known, maps.Keys(labels))
		for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
			values, ok := labels[m[1]]
			if !ok {
				t.Errorf("%s: %s has no label %s", where, name, m[1])
			}
			for _, value := range strings.Split(m[3], "|") {
				if ok && !values[value] && !slices.Contains(anyValue, m[1]) {
					t.Errorf("%s: %s is never %q in %s", where, m[1], value, name)
				}
			}
		}
	}
	if len(used) == 0 {
		t.Errorf("%s: %q names no metric of ours", where, expr)
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(known, label) {
				t.Errorf("%s: no metric in %q has the label %s", where, expr, label)
			}
		}
	}
	return used
}

// TestAlerts reads alerts.yml by its indentation, which is regular.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	v := newVocabulary(t)
	severities := []string{"critical", "warning", "info"}
	field := func(rule, name string) string {
		_, rest, ok := strings.Cut(rule, "\n"+strings.Repeat(" ", 8)+name+":")
		if !ok {
			return ""
		}
		// The value ends where a line is indented no deeper than its key.
		end := regexp.MustCompile(`\n {0,8}\S`).FindStringIndex(rest)
		if end != nil {
			rest = rest[:end[0]]
		}
		return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest), "|-"))
	}
	seen := make(map[string]bool)
	rules := strings.Split(string(text), "      - alert: ")[1:]
	for _, rule := range rules {
		name, _, _ := strings.Cut(rule, "\n")
		if seen[name] || !strings.HasPrefix(name, "ClusterKit") {
			t.Errorf("alert %q: the name is taken or has no prefix", name)
		}
		seen[name] = true
		v.check(t, name, field(rule, "expr"))
		severity := strings.TrimPrefix(field(rule, "labels"), "severity: ")
		if !slices.Contains(severities, severity) {
			t.Errorf("alert %s has the severity %q", name, severity)
		}
		for _, part := range []string{"summary:", "description: >-"} {
			if !strings.Contains(field(rule, "annotations"), part) {
				t.Errorf("alert %s has no %s", name, part)
			}
		}
	}
	for _, name := range []string{"Isolated", "MembersDisagree", "Diverged", "ClockSkew", "PeerNotSynced", "LogSlow",
		"PartitionsUnassigned", "PeerFallsBehind"} {
		if !seen["ClusterKit"+name] {
			t.Errorf("there is no alert ClusterKit%s", name)
		}
	}
}

// grafana is the part of a dashboard that is looked at here.
type grafana struct {
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

// checkLayout finds that no panel lies on another or beyond the edge.
func (g *grafana) checkLayout(t *testing.T) {
	t.Helper()
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range g.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: the id is taken or the title missing", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if before := cells[[2]int{x, y}]; before != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or beyond the edge", p.Title, before)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestDashboard finds that every panel asks for what exists, and that all that
// exists is on a panel.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard grafana
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	dashboard.checkLayout(t)
	v := newVocabulary(t)
	used := make(map[string]bool)
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			for _, name := range v.check(t, "panel "+p.Title, target.Expr) {
				used[name] = true
			}
		}
	}
	for name := range v {
		base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !used[name] && !used[base+"_bucket"] {
			t.Errorf("no panel shows %s", name)
		}
	}
	var variables []string
	for _, variable := range dashboard.Templating.List {
		variables = append(variables, variable.Name)
		if variable.Definition != "" {
			v.check(t, "variable "+variable.Name, variable.Definition)
		}
	}
	for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(variables, m[1]) && !strings.HasPrefix(m[1], "__") {
			t.Errorf("there is no variable %s", m[1])
		}
	}
}
