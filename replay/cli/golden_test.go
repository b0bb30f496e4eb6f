package cli_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/skshohagmiah/clusterkit/replay/cli"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// incident writes the made-up past into the working directory, which is one of
// its own for the rest of the test.
func incident(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { replaytest.Incident(t, dir).Close() })
	t.Chdir(dir)
}

// oneNode writes a log n1 of so many events into the working directory, which is
// one of its own for the rest of the test.
func oneNode(t *testing.T, events int) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first node")
		for len(n.Events()) < events {
			n.Set("k", "v")
		}
		h.Close()
	})
	t.Chdir(dir)
}

// run runs one command in this process.
func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Main(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// transcript is what a person sees who runs a command.
func transcript(command string) string {
	code, out, errs := run(strings.Fields(command)...)
	text := "$ clusterkit-replay " + command + "\n" + out
	for line := range strings.Lines(errs) {
		text += "stderr: " + line
	}
	return text + "exit " + strconv.Itoa(code) + "\n\n"
}

// golden compares the transcripts of commands with a file. The working
// directory is not that of the package, so the file is given by its full path.
func golden(t *testing.T, file string, commands ...string) {
	t.Helper()
	var got strings.Builder
	for _, command := range commands {
		got.WriteString(transcript(command))
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", filepath.Base(file), diff)
	}
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGolden(t *testing.T) {
	files := map[string][]string{
		"log.txt": {
			"log n1",
			"log n1 --axis known",
			"log n1 --partition 2 -p",
			"log n3 --node n3 -n 3",
			"log n3 --node n3 -n 3 --reverse",
			"log n1 n1:12..n1:15",
			"log n1 --type Node* --actor operator:*",
			"log n1 --since 2000-01-01T01:00:00Z",
			"log n1 --until head~30 -o csv",
			"log n2 --origin n2 -n 2 -o json",
			"log n2 -n 2 -o jsonl -p",
			"log n1 --type Nothing",
		},
		"state.txt": {
			"state n1",
			"state n1 --at first",
			"state n1 --at 2000-01-01T00:01:20Z",
			"state n1 --at n1:20 --partition 1-2",
			"state n3 --at 2000-01-01T00:01:20Z --axis known --node n3",
			"state n1 --at @3",
			"state n1 --at n2:3,n1:9 -o csv",
			"state n1 --at head~40 -o json --partition 2",
			"state n1/cluster-state.json --node n3",
		},
		"diff.txt": {
			"diff n1 first..head",
			"diff n1 n1:20..head~3 --stat",
			"diff n1 n1:20..n1:22",
			"diff n1 n3",
			"diff n1 n3 -o json",
			"diff n1 n1:20..n1:22 -o csv",
			"diff n2 n3 --at n1:20",
			"diff n1 n2 n3 first..head --stat",
			"diff n1 head..head",
		},
		"verify.txt": {
			"verify n1",
			"verify n1 n3 -o csv",
			"verify n2 -o json",
			"verify n1/wal",
			"verify n1/cluster-state.json",
		},
		"converge.txt": {
			"converge n1 n2 n3",
			"converge n1 n2 -o json",
			"converge n1 n1/cluster-state.json",
			"converge n2 n1 n3 -o csv",
		},
		"blame.txt": {
			"blame partition/2 n1 --why --history --now 2000-01-01T02:00:00Z",
			"blame 2 n1 --at n1:17 --why --now 2000-01-01T02:00:00Z",
			"n1 blame",
			"blame node/n3 n1 --why --history --now 2000-01-01T02:00:00Z",
			"blame node/n3 n1 -o json",
			"blame value/greeting n1 --history -o csv --now 2000-01-01T02:00:00Z",
			"blame value/greeting n1 --at n2:3 -o csv",
			"blame partition/2 n1 --since n1:18 --now 2000-01-01T02:00:00Z",
			"blame partition/2 n1 -n 2 --reverse -o csv --now 2000-01-01T02:00:00Z",
			"blame partition/2 n1 --until first --now 2000-01-01T02:00:00Z",
			"blame coordinator n1 --now 2000-01-01T02:00:00Z",
			"blame config/cluster n1 --now 2000-01-01T02:00:00Z",
			"blame node/n9 n1",
			"blame partition/x n1",
			"blame n1",
		},
		"show.txt": {
			"show n1:16 n1 n2 n3",
			"show n2:4 n1",
			"show head n1 -o json",
			"show first n1 -o csv",
			"show n1:99 n1",
			"show n1",
		},
		"bisect.txt": {
			`bisect n1 --where owner(2)=="n3"`,
			`bisect n1 --where status("n3")=="failed"&&len(replicas(2))<2 -o csv`,
			`bisect n1 --where len(alive())<3 n1:12..n3:3`,
			`bisect n1 --where replicas(2)[1]=="n2" -o jsonl`,
			`bisect n1 --where epoch(2)>4294967300&&value("greeting")=="hello"`,
			`bisect n1 --where owner(2)=="n9"`,
			`bisect n1 --where owner(`,
			`bisect n1 --where owner("x")=="n1"`,
			`bisect n1`,
			`log n1 --where owner(2)=="n3"&&partition==2`,
			`log n1 --where type=="NodeSuspected"&&status(node)!="alive" -o csv`,
		},
		"stats.txt": {
			"stats n1",
			"stats n2 --by origin --since n1:15 -o csv",
			"stats n1 --by trigger --type PartitionAssigned -o jsonl",
			"stats n3 --by hour -o json",
			"stats n1 --by nothing",
			"stats n1 --type Nothing",
		},
		"check.txt": {
			"check n1",
			"check n1 --unowned 1s --short 30s --moves 1 --window 5m",
			"check n1 --short 30s -o csv",
			"check n1 n1:20.. -o json",
			"check n1 head..",
		},
		"union.txt": {
			"log n1 n2 n3 -n 12",
			"log n1 n3 -n 2 --partition 2 -p",
			"log n1 n3 --type NodeSuspected -o csv",
			"log n3 n2 -n 1 -o jsonl",
			"log n1 n2 @4..",
			"state n1 n3 --at n1:20 --node n2",
			"blame 2 n1 n2 n3 --why --now 2000-01-01T02:00:00Z",
			"check n1 n2 n3",
			`bisect n1 n2 --where owner(2)=="n3"`,
		},
		"bundle.txt": {
			"bundle n1 n2 n3 -o i.bundle",
			"bundle n1 n2 n3 -o i.bundle",
			"log i.bundle -n 3",
			"log i.bundle#n2 -n 2",
			"log i.bundle#n9",
			"converge i.bundle",
			"verify i.bundle#n3",
			"state i.bundle --at n1:20 --node n3",
			"state i.bundle#n1 --at @20 --node n3 -o csv",
			"bundle i.bundle#n1 n2 -o r.bundle --redact-key key.txt",
			"converge r.bundle",
			"log r.bundle -n 5 -o csv",
			"export i.bundle#n3",
			"import n3.jsonl -o n3.bundle -q",
			"diff n3 n3.bundle",
			"log n3.jsonl -n 1",
			"import key.txt -o x.bundle",
			"bundle n1",
			"import n3.jsonl",
			"log key.txt",
		},
		"part.txt": {
			"bundle n1 n2 n1:14..n1:18 -o part.bundle",
			"log part.bundle#n1",
			"log part.bundle#n1 --since 2000-01-01 --until n1:15 -o csv",
			"log part.bundle#n1 --since 2000-01-01 --until n1:12",
			"log part.bundle#n1 --since n1:16 -o csv -q",
			"state part.bundle#n1 --at n1:18 --node n3",
			"state part.bundle#n1 --at n1:9",
			"state part.bundle#n1 --at 2000-01-01T02:00:00Z",
			"state part.bundle#n1 --at @9999",
			"log part.bundle#n1 --until 2000-01-01T02:00:00Z",
			"verify part.bundle#n1",
			"export part.bundle#n2 n1:16..",
			"export n1 @30..@20",
			"bundle n1 n2 @3..@5 -o x.bundle",
			"export n1 n2 n1:3..",
			"export n1 --type Node*",
			"bundle n1 -o x.bundle --where true",
			"export n1 --since 14:00 --until 13:00",
			"import key.txt n3.jsonl",
		},
		"follow.txt": {
			"follow n1 -n 3 --until-caught-up",
			"follow n1 --since n1:22 --cursor seen --until-caught-up -o jsonl",
			"follow n2 --cursor seen --until-caught-up",
			"follow n3 -n 5 --type Value* --cursor shown --until-caught-up -- sh -c :",
			"follow n3 --cursor shown --since first --until-caught-up -- false",
			"follow n3 -n 2 --until-caught-up -- false",
			"follow n3 -n 999 --type NodeRemoved --until-caught-up",
			"follow n3 --until head",
			"follow n3 --since n1:19 --until n1:22 --cursor part",
			"follow n3 --cursor part --until head -o jsonl",
			"follow n3 --until n9:4",
			"follow key.txt --cursor key.txt",
		},
		"graph.txt": {
			"log n1 --graph --since n1:14 --until n3:3",
			"log n1 --graph --partition 2 -p -n 3",
			"log n1 --graph --where (type==\"NodeSuspected\"||partition==2)&&origin!=\"n2\"",
			"log n1 n2 --graph --partition 2 --since n1:14",
			"log n1 --graph -o csv",
		},
		"whatif.txt": {
			"whatif n1 --leave n2 --join n9,zone=b --list",
			"whatif n1 --at n1:14 --fail n3 -o csv",
			"whatif n1 --at n1:14 --leave n2,n3 --replication 2",
			"whatif n1 --at n1:14 --weight n1=2 -o json",
			"whatif n1 --leave n9",
			"whatif n1 --join n9,rack=b",
			"whatif n1",
			"whatif n1 --at first --join n9",
		},
		"usage.txt": {
			"", "--help", "log --help", "lgo", "log --partitoin 3", "log n1 nonsense", "log no/such/dir", "log n1 @x", "log n1 n1:3",
			"log n1 --type [", "log n1 --axis both", "log n1 -n -4", "state n1 --at n9:4", "state n1 --at n1:999", "state n1 --at @9999",
			"converge n1", "diff n1", "log n1 -o xml", "state n1 --tz Mars/Phobos", "log n1 --partition x",
		},
	}
	paths := make(map[string]string)
	for name := range files {
		paths[name] = testdata(t, name)
	}
	incident(t)
	write(t, "key.txt", []byte("a secret of some length\n"))
	if _, lines, _ := run("export", "n3"); lines != "" {
		write(t, "n3.jsonl", []byte(lines))
	}
	for name, commands := range files {
		t.Run(name, func(t *testing.T) { golden(t, paths[name], commands...) })
	}
}
