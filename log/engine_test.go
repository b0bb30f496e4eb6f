package log

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidwall/wal"
)

// TestWhatTheEngineLeaves shows the faults of the engine by itself that this
// package answers; the tests of the answers are named. When a newer engine
// fails here, it has become better, and something here may go.
func TestWhatTheEngineLeaves(t *testing.T) {
	const n = 20
	type opened struct {
		*wal.Log
		dir string
		err error
	}
	open := func(dir string, segment int) opened {
		l, err := wal.Open(dir, &wal.Options{NoSync: true, SegmentSize: segment, AllowEmpty: true})
		return opened{l, dir, err}
	}
	make20 := func(segment int) string {
		dir := scratch(t)
		l := open(dir, segment)
		for i := range n {
			if err := l.Write(uint64(i+1), fmt.Appendf(nil, "record number %d", i+1)); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		return dir
	}
	tail := func(dir string) string {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		return files[len(files)-1]
	}
	for _, c := range []struct {
		name    string
		answer  string
		segment int
		damage  func(dir string)
		engine  func(l opened) bool // whether the fault shows
	}{
		{"a flipped bit reads back", "TestFlips", 1 << 20,
			func(dir string) { b := readFile(t, tail(dir)); b[5] ^= 1; writeTo(t, tail(dir), b) },
			func(l opened) bool { b, err := l.Read(1); return err == nil && string(b) != "record number 1" }},
		{"a torn tail makes Open fail", "TestTornTail", 1 << 20,
			func(dir string) { b := readFile(t, tail(dir)); writeTo(t, tail(dir), b[:len(b)-3]) },
			func(l opened) bool { return errors.Is(l.err, wal.ErrCorrupt) }},
		{"zeros are empty records", "TestZeroTail", 1 << 20,
			func(dir string) { writeTo(t, tail(dir), append(readFile(t, tail(dir)), make([]byte, 100)...)) },
			func(l opened) bool { last, _ := l.LastIndex(); return last == n+100 }},
		{"garbage can be records", "TestGarbageTail", 1 << 20,
			func(dir string) { writeTo(t, tail(dir), append(readFile(t, tail(dir)), 2, 'h', 'i')) },
			func(l opened) bool { b, _ := l.Read(n + 1); return string(b) == "hi" }},
		{"a missing middle segment panics", "TestMissingSegments", 60,
			func(dir string) { files, _ := filepath.Glob(filepath.Join(dir, "*")); os.Remove(files[1]) },
			func(l opened) (panics bool) {
				defer func() { panics = recover() != nil }()
				for i := range uint64(n) {
					l.Read(i + 1)
				}
				return false
			}},
		{"a missing last segment goes unseen", "TestMissingSegments", 100,
			func(dir string) { os.Remove(tail(dir)) },
			func(l opened) bool { last, _ := l.LastIndex(); return l.err == nil && last < n }},
		{"a missing first segment goes unseen", "TestMissingSegments", 60,
			func(dir string) { os.Remove(filepath.Join(dir, segmentName(1))) },
			func(l opened) bool { first, _ := l.FirstIndex(); return l.err == nil && first > 1 }},
		{"a file named END removes what is newer", "TestLeftovers", 60,
			func(dir string) { writeTo(t, filepath.Join(dir, segmentName(1)+".END"), []byte{2, 'h', 'i'}) },
			func(l opened) bool { last, _ := l.LastIndex(); return l.err == nil && last == 1 }},
		{"a foreign file becomes the tail", "TestLeftovers", 60,
			func(dir string) { writeTo(t, filepath.Join(dir, segmentName(9999)), []byte{2, 'h', 'i'}) },
			func(l opened) bool { last, _ := l.LastIndex(); return last == 9999 }},
		{"two may write one directory", "TestLocked", 60,
			func(dir string) {},
			func(l opened) bool { other := open(l.dir, 60); defer other.Close(); return other.err == nil }},
	} {
		dir := make20(c.segment)
		c.damage(dir)
		l := open(dir, c.segment)
		if !c.engine(l) {
			t.Errorf("the engine is better than it was: not true any more that %s; see %s", c.name, c.answer)
		}
		if l.err == nil {
			l.Close()
		}
	}
}
