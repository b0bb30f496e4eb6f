package coordination_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection/coordination"
	"github.com/skshohagmiah/clusterkit/projection/placement"
)

var update = flag.Bool("update", false, "write what the scripts do into them")

// TestScripts runs the stories in testdata. A line that begins with "> " is
// what the line before it did; the rest are comments and commands:
//
//	cluster PARTITIONS RF [manual]  a new cluster, with default options
//	start NODE [ZONE [WEIGHT]]      run a process
//	alone NODE                      the same, as the first of a new cluster
//	kill NODE                       end a process, silently
//	stop NODE, leave NODE           end it with a goodbye, to return or not
//	leaving NODE                    it is about to leave
//	suspect NODE, fail NODE         the first other process accuses it
//	drain, undrain, remove NODE     the first process orders it
//	degrade NODE, well NODE         it says so of itself
//	assign PARTITION NODE...        the first process does, by command
//	epoch PARTITION EPOCH NODE...   the same, at a given epoch
//	claim NODE                      takes the role without being asked
//	split NODE... | NODE...         they cannot reach each other
//	heal                            they can
//	run DURATION                    time passes
//	show                            who has what; show NODE as that node sees it
//	load                            how much
//	idle                            when a node next has something to do
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func runScript(t *testing.T, script string) string {
	var out bytes.Buffer
	s := newSim(t, 4, 2, coordination.Options{})
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "cluster" {
			s = newSim(t, atoi(t, words[1]), atoi(t, words[2]), coordination.Options{Manual: len(words) > 3})
		}
		s.trace = func(format string, args ...any) {
			fmt.Fprintf(&out, "> %8s  %s\n", s.clock(), fmt.Sprintf(format, args...))
		}
		for _, said := range s.command(words) {
			fmt.Fprintf(&out, "> %s\n", said)
		}
	}
	return out.String()
}

func atoi(t testing.TB, word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// command carries out one line of a script.
func (s *sim) command(words []string) (say []string) {
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	switch words[0] {
	case "cluster":
	case "start", "alone":
		zone, weight := "", uint32(1)
		if len(words) > 2 {
			zone = words[2]
		}
		if len(words) > 3 {
			weight = uint32(atoi(s.t, words[3]))
		}
		s.start(arg, zone, weight, words[0] == "alone")
	case "kill":
		s.nodes[arg].running = false
	case "stop":
		s.goodbye(arg, coordination.ReasonShutdown)
	case "leave":
		s.goodbye(arg, "left")
	case "leaving":
		s.speak(s.nodes[arg], events.NodeLeaving, 0, "leaves for good")
		s.settle()
	case "suspect":
		s.accuse(s.other(arg), arg, events.NodeSuspected)
	case "fail":
		s.accuse(s.other(arg), arg, events.NodeFailed)
	case "drain":
		s.order(s.ids(running)[0], arg, events.NodeDrained)
	case "undrain":
		s.order(s.ids(running)[0], arg, events.NodeUndrained)
	case "remove":
		s.order(s.other(arg), arg, events.NodeRemoved)
	case "degrade", "well":
		n := s.nodes[arg]
		n.degraded = map[string]string{"degrade": "the disk is slow"}[words[0]]
		s.speak(n, events.NodeUpdated, 0, words[0])
		s.settle()
	case "assign":
		s.write(s.ids(running)[0], atoi(s.t, arg), 0, words[2:])
	case "epoch":
		epoch, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		s.write(s.ids(running)[0], atoi(s.t, arg), epoch, words[3:])
	case "claim":
		n := s.nodes[arg]
		s.claim(n, &coordination.Decision{Term: n.state.Cluster().Term + 1, Reason: "as it likes"})
		s.settle()
	default:
		return s.elapse(words, arg)
	}
	return nil
}

// elapse carries out what happens to the network and to time.
func (s *sim) elapse(words []string, arg string) (say []string) {
	switch words[0] {
	case "split":
		side := 0
		for _, w := range words[1:] {
			if w == "|" {
				side++
			} else {
				s.nodes[w].side = side
			}
		}
	case "heal":
		for _, n := range s.nodes {
			n.side = 0
		}
		s.sync()
		s.settle()
	case "run":
		d, err := time.ParseDuration(arg)
		if err != nil {
			s.t.Fatal(err)
		}
		s.run(d.Milliseconds())
	default:
		return s.report(words[0], arg)
	}
	return nil
}

// report answers the commands that only look.
func (s *sim) report(what, of string) (say []string) {
	cluster := s.view()
	if of != "" {
		cluster = s.nodes[of].state.Cluster()
	}
	switch what {
	case "show":
		say = append(say, fmt.Sprintf("coordinator %s, term %d", cluster.Coordinator, cluster.Term))
		for p, list := range lists(cluster) {
			say = append(say, fmt.Sprintf("partition %d: %s", p, strings.Join(list, " ")))
		}
	case "load":
		for _, l := range placement.Load(lists(cluster)) {
			say = append(say, fmt.Sprintf("%s: %d copies, %d primaries", l.Node, l.Copies, l.Primaries))
		}
	case "idle":
		if next := s.nextWake(); next == coordination.Never {
			say = append(say, "never")
		} else {
			say = append(say, fmt.Sprintf("in %.3fs", float64(next-s.now)/1000))
		}
	default:
		s.t.Fatalf("no command %q", what)
	}
	return say
}

// other returns the first running node that is not this one.
func (s *sim) other(id string) string {
	for _, o := range s.ids(running) {
		if o != id && s.nodes[o].side == 0 {
			return o
		}
	}
	s.t.Fatalf("nobody can speak of %s", id)
	return ""
}

func (s *sim) goodbye(id, reason string) {
	s.speak(s.nodes[id], events.NodeLeft, 0, reason)
	s.nodes[id].running = false
	s.settle()
}
