package cli_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

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
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first node")
		for len(n.Events()) < 60 {
			n.Set("k", "v")
		}
		h.Close()
	})
	t.Chdir(dir)
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
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := replaytest.New(t, dir)
		n := h.Node("n1")
		n.Join("first node")
		for len(n.Events()) < 8 {
			n.Set("k", "v")
		}
		h.Close()
	})
	t.Chdir(dir)
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
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				h := replaytest.New(t, dir)
				n := h.Node("n1")
				n.Join("first node")
				for len(n.Events()) < 150 {
					n.Set("k", "v")
				}
				h.Close()
			})
			t.Chdir(dir)
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
			code, _, errs := run("state", "n1")
			if want := map[bool]int{true: 4, false: 0}[name == "last"]; code != want {
				t.Errorf("state exits %d, want %d: %s", code, want, errs)
			}
		})
	}
}
