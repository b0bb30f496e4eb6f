package transport_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

func TestHeavyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{ConnsPerHost: 100})
		release := make(chan struct{})
		w.fake.sync = func(context.Context, *transport.SyncRequest) (*transport.SyncResponse, error) {
			<-release
			return &transport.SyncResponse{Code: transport.CodeEqual}, nil
		}
		results := make(chan error)
		for range 16 {
			go func() {
				_, err := w.client.Sync(t.Context(), worldAddr, syncRequest())
				results <- err
			}()
		}
		synctest.Wait()
		_, err := w.client.Sync(t.Context(), worldAddr, syncRequest())
		var refused *transport.Error
		if !errors.Is(err, transport.ErrBusy) || !errors.As(err, &refused) || refused.Code != transport.ErrorBusy || transport.Result(err) != "refused" {
			t.Errorf("the 17th sync: %v", err)
		}
		if _, _, err := w.client.Join(t.Context(), worldAddr, joinRequest()); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("a join: %v", err)
		}
		for _, path := range []string{"/cluster?at=1", "/events"} {
			a := w.get(t, path)
			if a.check(t, 503, transport.ErrorBusy); a.header.Get("Retry-After") != "1" {
				t.Errorf("%s: Retry-After %q", path, a.header.Get("Retry-After"))
			}
		}
		for _, path := range []string{"/health", "/ready", "/cluster"} {
			if a := w.get(t, path); a.status != 200 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
		if _, err := w.client.Probe(t.Context(), worldAddr, probeRequest()); err != nil {
			t.Errorf("a probe: %v", err)
		}
		close(release)
		for range 16 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if _, err := w.client.Sync(t.Context(), worldAddr, syncRequest()); err != nil {
			t.Errorf("a sync when there is room again: %v", err)
		}
	})
}

func TestLightLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{ConnsPerHost: 300})
		release := make(chan struct{})
		w.fake.probe = func(context.Context, *transport.ProbeRequest) (*transport.ProbeResponse, error) {
			<-release
			return &transport.ProbeResponse{Equal: true}, nil
		}
		results := make(chan error)
		for range 256 {
			go func() {
				_, err := w.client.Probe(t.Context(), worldAddr, probeRequest())
				results <- err
			}()
		}
		synctest.Wait()
		if _, err := w.client.Probe(t.Context(), worldAddr, probeRequest()); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("the 257th probe: %v", err)
		}
		w.get(t, "/health").check(t, 503, transport.ErrorBusy)
		if _, err := w.client.Sync(t.Context(), worldAddr, syncRequest()); err != nil {
			t.Errorf("a sync: %v", err)
		}
		close(release)
		for range 256 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

// silent never yields anything.
func silent(ctx context.Context, _ transport.EventsQuery) iter.Seq2[events.Event, error] {
	return func(func(events.Event, error) bool) { <-ctx.Done() }
}

func TestStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{Streams: 2}, transport.ClientOptions{})
		w.fake.events = silent
		const live = "GET /events HTTP/1.1\r\nHost: b\r\nAccept: text/event-stream\r\n\r\n"
		first := w.raw(t, live)
		w.raw(t, live)
		synctest.Wait()
		read(t, w.raw(t, live)).check(t, 503, transport.ErrorBusy)
		first.Close()
		synctest.Wait()
		conn := w.raw(t, live)
		line := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(conn, line); err != nil || string(line) != "HTTP/1.1 200" {
			t.Errorf("after one has gone: %q, %v", line, err)
		}
	})
}

// TestSlowBody sends half a body and no more.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{Heavy: 1}, transport.ClientOptions{})
		began := time.Now()
		conn := w.raw(t, "POST /sync HTTP/1.1\r\nHost: b\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nhalf")
		synctest.Wait()
		if _, err := w.client.Sync(t.Context(), worldAddr, syncRequest()); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("beside it: %v", err)
		}
		read(t, conn).check(t, 408, transport.ErrorTimeout)
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("given up after %v", took)
		}
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection goes on: %v", err)
		}
		if took := time.Since(began); took > 18*time.Second {
			t.Errorf("the connection was closed after %v", took)
		}
		if _, err := w.client.Sync(t.Context(), worldAddr, syncRequest()); err != nil || w.fake.calls.Load() != 1 {
			t.Errorf("after it: %v, %d calls", err, w.fake.calls.Load())
		}
	})
}

// TestDrippingBody sends a byte a second: what counts is the whole.
func TestDrippingBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		began := time.Now()
		conn := w.raw(t, "POST /probe HTTP/1.1\r\nHost: b\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n")
		go func() {
			for {
				if _, err := io.WriteString(conn, "1\r\nx\r\n"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		read(t, conn).check(t, 408, transport.ErrorTimeout)
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("given up after %v", took)
		}
		if w.fake.calls.Load() != 0 {
			t.Error("the node was called")
		}
	})
}

func TestBodyCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		w.raw(t, "POST /sync HTTP/1.1\r\nHost: b\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nhalf").Close()
		synctest.Wait()
		if w.net.Conns() != 0 || w.fake.calls.Load() != 0 {
			t.Errorf("%d connections, %d calls", w.net.Conns(), w.fake.calls.Load())
		}
	})
}

func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		began := time.Now()
		conn := w.raw(t, "GET /health HTTP/1.1\r\nHost: ")
		io.ReadAll(conn)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("given up after %v", took)
		}
	})
}

func TestIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		began := time.Now()
		conn := w.raw(t, "GET /health HTTP/1.1\r\nHost: b\r\n\r\n")
		if a := read(t, conn); a.status != 200 {
			t.Errorf("%d", a.status)
		}
		conn.Read(make([]byte, 1))
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

// TestSlowBackend shows that the time-out of the request does not end the
// context of the answer.
func TestSlowBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{HeaderTimeout: time.Minute})
		w.fake.sync = func(ctx context.Context, _ *transport.SyncRequest) (*transport.SyncResponse, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(25 * time.Second): // longer than the read time-out
				return &transport.SyncResponse{Code: transport.CodeEqual}, nil
			}
		}
		if _, err := w.client.Sync(t.Context(), worldAddr, syncRequest()); err != nil {
			t.Error(err)
		}
	})
}

func TestCallerGoneEndsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, transport.ServerOptions{}, transport.ClientOptions{})
		ended := make(chan time.Duration, 1)
		w.fake.sync = func(ctx context.Context, _ *transport.SyncRequest) (*transport.SyncResponse, error) {
			began := time.Now()
			<-ctx.Done()
			ended <- time.Since(began)
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := w.client.Sync(ctx, worldAddr, syncRequest())
		if !errors.Is(err, transport.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := <-ended; took != 3*time.Second {
			t.Errorf("the backend's context ended after %v", took)
		}
	})
}
