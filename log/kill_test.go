package log

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// A process that is killed is a test binary that finds these in its
// environment.
const (
	killDir  = "LOG_TEST_KILL_DIR"
	killCall = "LOG_TEST_KILL_CALL"
	killHalf = "LOG_TEST_KILL_HALF"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		victim(dir)
		return
	}
	code := m.Run()
	if millionDir != "" {
		os.RemoveAll(millionDir)
	}
	os.Exit(code)
}

// short is the story of a process that is killed.
func (s *story) short() error {
	return s.chapter(s.begin, s.write(10), s.snapshot, s.checkpoint, s.rotate, s.write(6), s.end, s.begin,
		s.write(8), s.retain, s.write(3))
}

// victim tells the story and says what is acknowledged, until it is killed.
func victim(dir string) {
	n, err := strconv.Atoi(os.Getenv(killCall))
	if err != nil {
		panic(err)
	}
	s := newStory(new(testing.T), dir, 0, os.Getenv(killHalf) != "")
	s.kill = n
	s.told = func() { fmt.Println("acknowledged") }
	if err := s.short(); err != nil {
		panic(err)
	}
}

// TestKill kills a process before every call that it makes and in the middle of
// every write.
func TestKill(t *testing.T) {
	whole := newStory(t, scratch(t), 0, false)
	if err := whole.short(); err != nil {
		t.Fatal(err)
	}
	calls := whole.calls
	whole.Close()
	t.Logf("%d calls, %d batches", len(calls), len(whole.batches))
	for i, c := range calls {
		for _, half := range []string{"", "half"} {
			if half != "" && (c.op != "write" || len(c.data) < 100) {
				continue
			}
			dir := scratch(t)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), killDir+"="+dir, killCall+"="+strconv.Itoa(i+1), killHalf+"="+half)
			out, err := cmd.Output()
			if err == nil || bytes.Contains(out, []byte("panic")) {
				t.Fatalf("before call %d: the process ended by itself: %s", i+1, out)
			}
			s := &story{recorder: newRecorder(dir), batches: whole.batches,
				appended: make([]int, bytes.Count(out, []byte("acknowledged\n")))}
			whole.at(t, "killed "+half, i, func() { s.holds(t, dir, 0) })
			os.RemoveAll(dir)
		}
	}
}
