package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// OpenTerminal opens a terminal of its own, and returns it with a function that
// closes it and says what was written on it.
func OpenTerminal(t *testing.T) (tty *os.File, written func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var locked, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close(); master.Close() })
	return tty, func() string {
		tty.Close()
		var all []byte
		for b := make([]byte, 4096); ; { // an error is its end: nobody has it open
			n, err := master.Read(b)
			if all = append(all, b[:n]...); err != nil {
				return string(all)
			}
		}
	}
}

// TestProgressOnTerminal: it is shown on a terminal, after a second, and taken back;
// and never elsewhere, nor when quiet is asked for.
func TestProgressOnTerminal(t *testing.T) {
	for name, test := range map[string]struct {
		quiet, file bool
		took        time.Duration
		want        bool
	}{
		"long":      {took: 1300 * time.Millisecond, want: true},
		"short":     {took: 900 * time.Millisecond},
		"quiet":     {took: 1300 * time.Millisecond, quiet: true},
		"in a file": {took: 1300 * time.Millisecond, file: true},
	} {
		tty, written := OpenTerminal(t)
		a := &app{errs: tty, quiet: test.quiet}
		file, err := os.Create(t.TempDir() + "/errs")
		if err != nil {
			t.Fatal(err)
		}
		if test.file {
			a.errs = file
		}
		synctest.Test(t, func(t *testing.T) {
			a.ctx = context.Background()
			p := a.watch("verify")
			time.Sleep(test.took)
			p.end()
		})
		file.Close()
		inFile, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		got := written()
		if shown := strings.Contains(got, "verify") && strings.HasSuffix(got, "\r\x1b[K"); shown != test.want || !test.want && got != "" || len(inFile) > 0 {
			t.Errorf("%s: %q, in the file %q", name, got, inFile)
		}
	}
}
