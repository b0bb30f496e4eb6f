package cli_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/replay/replaytest"
)

// segmentsOf returns the segment files of a data directory, oldest first.
func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no segments", err)
	}
	slices.Sort(files)
	return files
}

var stride = flag.Int("stride", 7, "which bytes TestEveryFlippedByte flips: every so manieth, 1 for all")

// TestEveryFlippedByte flips every byte of a small log once: verify must not
// pass, and log must print what is intact and not exit 0. With
// -stride 1 it takes its time and flips every byte.
func TestEveryFlippedByte(t *testing.T) {
	oneNode(t, 60)
	if code, _, errs := run("verify", "n1"); code != 0 {
		t.Fatal("the undamaged log is refused:", errs)
	}
	_, whole, _ := run("log", "n1", "-o", "jsonl")
	total := strings.Count(whole, "\n")
	files := segmentsOf(t, "n1")
	if len(files) < 2 {
		t.Fatal("want several segments")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := *stride / 2; at < len(b); at += *stride {
			flipped := slices.Clone(b)
			flipped[at] ^= 1 << (at % 8)
			write(t, file, flipped)
			if code, out, errs := run("verify", "n1"); code != 4 || !strings.Contains(out, "FAIL") {
				t.Errorf("%s byte %d: verify exits %d\n%s%s", filepath.Base(file), at, code, out, errs)
			}
			code, out, errs := run("log", "n1", "-o", "jsonl")
			if code != 4 || errs == "" {
				t.Errorf("%s byte %d: log exits %d: %s", filepath.Base(file), at, code, errs)
			}
			// The records beside the damaged one are intact.
			if got := strings.Count(out, "\n"); got < total-2 {
				t.Errorf("%s byte %d: log prints %d of %d events\n%s", filepath.Base(file), at, got, total, errs)
			}
			if t.Failed() {
				return
			}
		}
		write(t, file, b)
	}
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryCut cuts the newest segment at every byte, as a crash would, with
// no mark of a clean close: what is whole is printed, and a torn tail is no
// damage.
func TestEveryCut(t *testing.T) {
	oneNode(t, 8)
	os.Remove("n1/CLEAN")
	os.Remove("n1/cluster-state.json") // it would prove that more had been there
	files := segmentsOf(t, "n1")
	file := files[len(files)-1]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := -1
	for size := range len(b) + 1 {
		write(t, file, b[:size])
		code, out, errs := run("log", "n1", "-o", "jsonl")
		lines := strings.Count(out, "\n")
		if code != 0 || lines < before {
			t.Fatalf("cut at %d: log exits %d with %d events, %d before: %s", size, code, lines, before, errs)
		}
		before = lines
	}
	if before != 8 {
		t.Errorf("%d events in the end, want 8", before)
	}
}

func TestMissingSegment(t *testing.T) {
	for name, which := range map[string]int{"first": 0, "middle": 1, "last": -1} {
		t.Run(name, func(t *testing.T) {
			oneNode(t, 150)
			files := segmentsOf(t, "n1")
			if which < 0 {
				which = len(files) - 1
			}
			if err := os.Remove(files[which]); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"log n1", "verify n1"} {
				if code, out, errs := run(strings.Fields(command)...); code != 4 {
					t.Errorf("%s exits %d\n%s%s", command, code, out, errs)
				}
			}
			whole := t.TempDir()
			if err := os.CopyFS(whole, os.DirFS("n1")); err != nil {
				t.Fatal(err)
			}
			if code, out, errs := run("converge", "n1", whole); code != 4 || strings.Contains(out, "equal") {
				t.Errorf("converge exits %d\n%s%s", code, out, errs)
			}
			code, _, errs := run("state", "n1")
			if want := map[bool]int{true: 4, false: 0}[name == "last"]; code != want {
				t.Errorf("state exits %d, want %d: %s", code, want, errs)
			}
		})
	}
}

// TestDamageInTheMiddle: what reads a damaged segment says so; what is answered
// from the end of the log alone is not disturbed.
func TestDamageInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first node")
		n.Configure(4, 1, events.ID{})
		for i := range 200 {
			n.Assign(i%4, []string{"n1"}, "test", "", events.ID{})
		}
		h.Close()
	})
	t.Chdir(dir)
	if err := os.CopyFS("copy", os.DirFS("n1")); err != nil {
		t.Fatal(err)
	}
	files := segmentsOf(t, "n1")
	if len(files) < 5 {
		t.Fatal("want many segments, have", len(files))
	}
	file := files[len(files)/2]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-100] ^= 4
	write(t, file, b)
	for command, want := range map[string]int{
		"verify n1": 4, "log n1": 4, "log n1 -o jsonl": 4, "log n1 --partition 2": 4, "blame partition/2 n1": 4,
		"blame partition/2 n1 --history -o json": 4, "stats n1": 4, "check n1": 4, "timeline n1 -o t.html": 4,
		"state n1": 0, "log n1 -n 3": 0, "converge n1 copy": 0, "verify copy": 0, "log copy": 0,
	} {
		if code, out, errs := run(strings.Fields(command)...); code != want {
			t.Errorf("%s exits %d, want %d\n%s%s", command, code, want, out, errs)
		}
	}
}

// TestDamageMatrix runs every command on a log of which one record is damaged:
// each says so, exits 4, and answers with what is intact.
func TestDamageMatrix(t *testing.T) {
	commands := map[string]string{ // what is still there
		"log n1":                             "NodeRemoved",
		"log n1 -o jsonl":                    `"type":"NodeRemoved"`,
		"log n1 -o json":                     `"type":"NodeRemoved"`,
		"log n1 -o csv":                      "NodeRemoved",
		"log n1 -p":                          "NodeRemoved",
		"log n1 --graph":                     "NodeRemoved",
		"log n1 --reverse":                   "NodeRemoved",
		"log n1 --axis known":                "NodeRemoved",
		"log n1 --where partition==2":        "partition/2",
		"log n1 n2":                          "NodeRemoved",
		"state n1 --at n1:15":                "n2",
		"state n1 n3 --at n1:15":             "n2",
		"diff n1 first..n1:15":               "n2",
		"verify n1":                          "FAIL",
		"verify n1 n2 -o json":               `"result": "FAIL"`,
		"stats n1":                           "PartitionAssigned",
		"check n1":                           "one-owner",
		`bisect n1 --where owner(2)=="n3"`:   "-> true",
		"blame partition/2 n1 --history":     "n1:23",
		"blame node/n3 n1 --history":         "removed",
		"whatif n1 --at n1:15 --leave n2":    "n1",
		"export n1":                          `{"damage":{`,
		"export n1 n1:2..n1:15":              `{"damage":{`,
		"bundle n1 --since n1:2 -o #.bundle": "1 log",
		"follow n1 --since first --until n1:22 --type NodeRemoved": "NodeRemoved",
		"bundle n1 n2 -o #.bundle":                                 "2 logs",
		"timeline n1 -o #.html":                                    "",
		"follow n1 --since first --until-caught-up -o jsonl":       `"type":"NodeRemoved"`,
	}
	incident(t)
	file := segmentsOf(t, "n1")[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b := slices.Clone(whole)
	b[1500] ^= 4 // in the event n3:1
	write(t, file, b)
	n := 0
	for command, want := range commands {
		n++
		args := strings.Fields(strings.ReplaceAll(command, "#", "out"+strconv.Itoa(n)))
		code, out, errs := run(args...)
		if code != 4 || !strings.Contains(out, want) {
			t.Errorf("%s exits %d\n%s%s", command, code, out, errs)
		}
		if !strings.Contains(errs, "record @12 is missing") && !strings.Contains(out, "record @12 is missing") {
			t.Errorf("%s does not say what is missing:\n%s%s", command, out, errs)
		}
	}
	// What was made of it is as damaged.
	if code, out, errs := run("import", "-o", "again.bundle", "lines"); code == 0 {
		t.Error(out, errs)
	}
	_, lines, _ := run("export", "n1")
	write(t, "lines", []byte(lines))
	run("import", "lines", "-o", "again.bundle")
	for _, command := range []string{"verify again.bundle", "log again.bundle", "verify lines", "log lines"} {
		if code, out, errs := run(strings.Fields(command)...); code != 4 {
			t.Errorf("%s exits %d\n%s%s", command, code, out, errs)
		}
	}
	// Where the damage does not matter it does not disturb.
	for _, command := range []string{"state n1 --at n1:22", "show n1:22 n1", "log n1 -n 2"} {
		if code, out, errs := run(strings.Fields(command)...); code != 0 {
			t.Errorf("%s exits %d\n%s%s", command, code, out, errs)
		}
	}
	if code, _, errs := run("show", "n3:1", "n1"); code != 4 {
		t.Errorf("show of the lost event exits %d: %s", code, errs)
	}
}

// TestEveryFlippedByteOfABundle flips every so manieth byte of a bundle: verify
// does not pass, and log does not exit 0 unless the byte was in a checkpoint,
// which it does not read.
func TestEveryFlippedByteOfABundle(t *testing.T) {
	incident(t)
	os.Remove("n1/cluster-state.json")
	if code, out, errs := run("bundle", "n1", "-o", "whole"); code != 0 {
		t.Fatal(out, errs)
	}
	whole, err := os.ReadFile("whole")
	if err != nil {
		t.Fatal(err)
	}
	for at := *stride / 2; at < len(whole); at += *stride {
		b := slices.Clone(whole)
		b[at] ^= 1 << (at % 8)
		write(t, "flipped", b)
		for _, command := range []string{"verify", "log"} {
			if code, out, errs := run(command, "flipped"); code != 4 {
				t.Fatalf("byte %d: %s exits %d\n%s%s", at, command, code, out, errs)
			}
		}
		write(t, "flipped", whole[:at])
		if code, out, errs := run("verify", "flipped"); code != 4 && code != 3 && (at > 0 || code != 5) { // of nothing nothing can be said
			t.Fatalf("cut at %d: verify exits %d\n%s%s", at, code, out, errs)
		}
	}
}
