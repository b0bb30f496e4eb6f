package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTimeline(t *testing.T) {
	incident(t)
	for name, begins := range map[string]string{"r.html": "<!DOCTYPE html>", "r.svg": "<svg", "r.trace.json": `{"displayTimeUnit"`, "r.json": "{\n\"v\":1"} {
		code, out, errs := run("timeline", "-o", name, "n1", "n2")
		b, err := os.ReadFile(name)
		if code != 0 || out != "" || err != nil || !bytes.HasPrefix(b, []byte(begins)) || !strings.Contains(errs, "note: "+name) {
			t.Errorf("%s: exit %d, %v\n%s%s", name, code, err, out, errs)
		}
		if strings.HasSuffix(name, ".json") && !json.Valid(b) {
			t.Errorf("%s is not JSON", name)
		}
	}
	if code, out, _ := run("timeline", "n1", "--format", "svg", "--since", "n1:12", "--partition", "1"); code != 0 || !strings.Contains(out, "partition 1") || strings.Contains(out, "partition 2") {
		t.Errorf("exit %d\n%s", code, out)
	}
	for args, want := range map[string]int{
		"timeline n1 n2 --axis known -o x.html": 2, "timeline n1 --format pdf": 2, "timeline n1 -o no/such/x.html": 3,
		"timeline n1 ..1999-01-01 -o x.html": 5, "timeline n1/cluster-state.json -o x.html": 5, "timeline n1 --reverse": 2,
	} {
		if code, _, errs := run(strings.Fields(args)...); code != want || errs == "" {
			t.Errorf("%s exits %d, want %d: %s", args, code, want, errs)
		}
	}
	if _, err := os.Stat("x.html"); err == nil {
		t.Error("a failed command left a file")
	}
}

// TestTimelineCommands runs the commands that a page shows.
func TestTimelineCommands(t *testing.T) {
	incident(t)
	run("timeline", "-o", "r.html", "n1", "n2")
	b, err := os.ReadFile("r.html")
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Commands map[string]string }
	text := regexp.MustCompile(`(?s)id="header">(.*?)</script>`).FindSubmatch(b)
	if err := json.Unmarshal(text[1], &header); err != nil {
		t.Fatal(err)
	}
	if len(header.Commands) < 8 {
		t.Fatalf("commands: %v", header.Commands)
	}
	for name, command := range header.Commands {
		id := "n3"
		if name == "partition" {
			id = "2"
		}
		command = strings.NewReplacer("{log}", "n1", "{logs}", "n1 n2", "{subject}", "partition/2", "{id}", id, "{event}", "n1:12",
			"{at}", "2000-01-01T00:01:17.020Z", "{from}", "2000-01-01T00:00:00.000Z", "{until}", "2000-01-01T00:02:00.000Z").Replace(command)
		for _, axis := range []string{"", " --axis known"} {
			if name == "show" && axis != "" {
				continue
			}
			words := strings.Fields(command + axis)
			if code, out, errs := run(words[1:]...); code > 1 || out == "" {
				t.Errorf("%s%s: exit %d\n%s", command, axis, code, errs)
			}
		}
	}
}

// TestTimelineDamage draws what is intact.
func TestTimelineDamage(t *testing.T) {
	incident(t)
	files := segmentsOf(t, "n1")
	b, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	write(t, files[1], b)
	code, _, errs := run("timeline", "-o", "r.html", "n1")
	page, err := os.ReadFile("r.html")
	if code != 4 || err != nil || !strings.Contains(errs, "damaged: "+filepath.Join("n1", "wal")) || !strings.Contains(string(page), "missing") {
		t.Errorf("exit %d, %v: %s", code, err, errs)
	}
}

// TestTimelineWhere holds that the flags choose signs, and not lanes.
func TestTimelineWhere(t *testing.T) {
	incident(t)
	count := func(what string, flags ...string) int {
		code, out, errs := run(append([]string{"timeline", "-o", "-", "--format", "json", "n1"}, flags...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d: %s", flags, code, errs)
		}
		return strings.Count(out, what)
	}
	sign, lane := `"type":"NodeFailed"`, `"status":"failed"`
	if all, none := count(sign), count(sign, "--where", `status("n3")=="removed"`); all == 0 || none != 0 {
		t.Errorf("%d signs, and %d where nothing is asked for", all, none)
	}
	if all, some := count(lane), count(lane, "--where", "false"); all == 0 || some != all {
		t.Errorf("%d stretches, and %d with a condition", all, some)
	}
}
