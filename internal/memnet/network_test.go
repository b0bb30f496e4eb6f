package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/internal/memnet"
)

// connect returns both ends of a connection from a to b.
func connect(t *testing.T, n *memnet.Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Host("b").Listen(80)
	if err != nil {
		t.Fatal(err)
	}
	near, err = n.Host("a").DialContext(t.Context(), "tcp", "b:80")
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close(); l.Close() })
	return near, far
}

func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b, err, want)
	}
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); err != nil || n != len(s) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		near, far := connect(t, n)
		write(t, near, "hello")
		write(t, near, " there")
		read(t, far, "hello there")
		write(t, far, "well")
		far.Close()
		read(t, near, "well")
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read after the other side closed: %v", err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after the other side closed: %v", err)
		}
		if n.Conns() != 1 {
			t.Errorf("%d connections", n.Conns())
		}
		near.Close()
		if n.Conns() != 0 {
			t.Errorf("%d connections", n.Conns())
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	})
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := connect(t, memnet.New())
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<15) // 512 KiB
		go func() {
			near.Write(sent)
			near.Close()
		}()
		synctest.Wait() // the writer is held up
		got, err := io.ReadAll(far)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		far.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := far.Write(sent); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to who is gone: %v", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, _ := connect(t, memnet.New())
		began := time.Now()
		near.SetReadDeadline(began.Add(3 * time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(began))
		}
		near.SetWriteDeadline(began.Add(5 * time.Second))
		_, err := near.Write(make([]byte, 1<<20))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != 5*time.Second {
			t.Errorf("write: %v after %v", err, time.Since(began))
		}
		near.SetReadDeadline(time.Time{})
		go func() { // a deadline also ends a read that waits
			time.Sleep(time.Second)
			near.SetReadDeadline(time.Unix(1, 0))
		}()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestDelayKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		near, far := connect(t, n)
		began := time.Now()
		n.Delay("a", "b", 100*time.Millisecond)
		write(t, near, "1")
		n.Delay("a", "b", 0)
		write(t, near, "2")
		read(t, far, "12")
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		write(t, far, "back")
		read(t, near, "back")
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("the other direction was delayed: %v", took)
		}
	})
}

func TestCutHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		near, far := connect(t, n)
		n.Cut("a", "b")
		write(t, near, "held")
		far.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read through a cut: %v", err)
		}
		write(t, far, "other way")
		read(t, near, "other way")
		go func() {
			time.Sleep(time.Second)
			n.Heal("a", "b")
		}()
		far.SetReadDeadline(time.Time{})
		read(t, far, "held")
	})
}

func TestDialThroughACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		connect(t, n)
		n.Cut("b", "a") // the way back
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		_, err := n.Host("a").DialContext(ctx, "tcp", "b:80")
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != 2*time.Second {
			t.Errorf("dial: %v after %v", err, time.Since(began))
		}
		go func() {
			time.Sleep(time.Second)
			n.HealAll()
		}()
		c, err := n.Host("a").DialContext(t.Context(), "tcp", "b:80")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}

func TestDropBreaksInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		near, far := connect(t, n)
		n.Drop("a", "b", 3)
		if k, err := near.Write([]byte("hello")); k != 3 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write: %d, %v", k, err)
		}
		read(t, far, "hel")
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read beyond the break: %v", err)
		}
		c, err := n.Host("a").DialContext(t.Context(), "tcp", "b:80")
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, "once only")
		c.Close()
	})
}

func TestRefusedResetCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		if _, err := n.Host("a").DialContext(t.Context(), "tcp", "b:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial nobody: %v", err)
		}
		near, far := connect(t, n)
		if _, err := n.Host("b").Listen(80); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listen twice: %v", err)
		}
		n.Reset("a", "b")
		for _, c := range []net.Conn{near, far} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read after reset: %v", err)
			}
		}
		n.Crash("b")
		if _, err := n.Host("a").DialContext(t.Context(), "tcp", "b:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial a crashed host: %v", err)
		}
		l, err := n.Host("b").Listen(80)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after close: %v", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	n := memnet.New()
	l, err := n.Host("10.0.0.1").Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Host("10.0.0.2").DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	local, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok || local.IP.String() != "10.0.0.2" || local.Port == 0 {
		t.Errorf("local address %v", c.LocalAddr())
	}
}

// TestHTTP is what it is for: a server and clients with their time-outs, in a
// bubble.
func TestHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		l, err := n.Host("b").Listen(80)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })}
		go srv.Serve(l)
		defer srv.Close()
		tr := &http.Transport{DialContext: n.Host("a").DialContext}
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr, Timeout: time.Second}
		text := strings.Repeat("0123456789", 100_000)
		for range 20 {
			resp, err := client.Post("http://b:80/", "text/plain", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(got) != text {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
		}
		n.Cut("b", "a")
		if _, err := client.Post("http://b:80/", "text/plain", strings.NewReader("x")); err == nil {
			t.Error("an answer through a cut")
		}
		n.HealAll()
	})
}
