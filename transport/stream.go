package transport

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

const (
	mediaLines  = "application/x-ndjson"
	mediaEvents = "text/event-stream"

	heartbeat   = 15 * time.Second  // comment on an idle live stream
	streamRetry = "retry: 2000\n\n" // ms before a browser comes back
	streamBatch = 64                // events that are sent together
	smallCursor = 32                // logs in a cursor that every event carries
)

// events serves history: JSON lines up to now, or a live stream.
func (s *server) events(c *call) error {
	if err := s.authorizeRead(c); err != nil {
		return err
	}
	q, err := eventsQuery(c.r)
	if err != nil {
		return err
	}
	if c.r.Method == http.MethodHead {
		q.Limit, q.Follow = 1, false
	}
	class, serve := s.heavy, s.lines
	if q.Follow {
		class, serve = s.streams, s.live
	}
	return c.guarded(class, func() error {
		// What the server's time-outs say holds for each piece, not the whole.
		_ = c.control.SetReadDeadline(time.Time{})
		return serve(c, q)
	})
}

// pieces writes an answer that has no known length. A reader that takes
// nothing for writeTimeout is given up.
type pieces struct{ c *call }

func (p pieces) Write(b []byte) (int, error) {
	_ = p.c.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder in a test has none
	return p.c.w.Write(b)
}

// lines answers with one event per line. An error that comes after the first
// line is the last line.
func (s *server) lines(c *call, q EventsQuery) error {
	w := bufio.NewWriterSize(pieces{c}, 32<<10)
	c.w.Header().Set("Content-Type", mediaLines)
	var line []byte
	for e, err := range s.backend.Events(c.r.Context(), q) {
		switch {
		case err != nil && c.w.status == 0 && w.Buffered() == 0:
			return err
		case err != nil:
			line = s.explain("events", c, err).encode()
		default:
			line, _ = e.AppendJSON(line[:0]) // never fails
			line = append(line, '\n')
		}
		if _, failed := w.Write(line); failed != nil {
			return nil // the reader is gone
		}
		if err != nil {
			break
		}
	}
	if c.w.status == 0 && w.Buffered() == 0 {
		c.w.WriteHeader(http.StatusOK)
	}
	_ = w.Flush() // there is nobody to tell
	return nil
}

// item is one event of a live stream, or its end.
type item struct {
	id   events.ID
	json []byte
	err  error
}

// live answers with server-sent events: the id of each is the cursor after it,
// so that a reader who comes back with Last-Event-ID misses nothing.
//
//	id: 01M3ZJ...:4711,01M3ZK...:12
//	data: {"id":"01M3ZJ...:4711", ...}
//
// Of events that are sent together only the last carries a long cursor; who
// comes back may then see some of them again.
func (s *server) live(c *call, q EventsQuery) error {
	ctx, cancel := context.WithCancel(c.r.Context())
	items := make(chan item, streamBatch)
	var wg sync.WaitGroup
	wg.Go(func() { s.produce(ctx, q, items) }) // ends with ctx
	defer wg.Wait()
	defer cancel()

	h := c.w.Header()
	h.Set("Content-Type", mediaEvents)
	h.Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusOK)
	st := &stream{w: bufio.NewWriterSize(pieces{c}, 32<<10), c: c, cursor: q.After.Clone()}
	st.w.WriteString(streamRetry)
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for st.flush() == nil {
		select {
		case it, more := <-items:
			if !more {
				return nil
			}
			if err := st.batch(it, items); err != nil {
				st.end(s.explain("events", c, err))
				return nil
			}
			tick.Reset(heartbeat)
		case <-tick.C:
			st.w.WriteString(": still here\n\n")
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// produce runs the backend's iterator, which blocks while nothing happens. It
// ends with ctx, and closes items.
func (s *server) produce(ctx context.Context, q EventsQuery, items chan<- item) {
	defer close(items)
	defer func() {
		if v := recover(); v != nil {
			s.recoveredStream(ctx, v, items)
		}
	}()
	for e, err := range s.backend.Events(ctx, q) {
		it := item{id: e.ID(), err: err}
		if err == nil {
			it.json, it.err = e.AppendJSON(nil)
		}
		select {
		case items <- it:
		case <-ctx.Done():
			return
		}
	}
}

// recoveredStream deals with a panic in the backend's iterator.
func (s *server) recoveredStream(ctx context.Context, v any, items chan<- item) {
	s.panicked("events", v)
	select {
	case items <- item{err: errors.New("panic in the middle of a stream")}:
	case <-ctx.Done():
	}
}

// stream writes server-sent events.
type stream struct {
	w      *bufio.Writer
	c      *call
	cursor events.Vector // of what was written
}

// batch writes first and what is ready behind it. It returns the error in which
// the events end.
func (st *stream) batch(first item, items <-chan item) error {
	for it, n := first, 1; ; n++ {
		if it.err != nil {
			return it.err
		}
		st.w.WriteString("data: ")
		st.w.Write(it.json)
		st.cursor[it.id.Log] = it.id.Seq
		var next item
		more := false
		if n < streamBatch {
			select {
			case next, more = <-items:
			default:
			}
		}
		if !more || next.err != nil || len(st.cursor) <= smallCursor {
			st.w.WriteString("\nid: " + st.cursor.String())
		}
		st.w.WriteString("\n\n")
		if !more {
			return nil
		}
		it = next
	}
}

// end says why the stream ends.
func (st *stream) end(e *Error) {
	st.w.WriteString("event: error\ndata: ")
	st.w.Write(e.encode())
	st.w.WriteString("\n")
	_ = st.flush() // there is nobody to tell
}

// flush sends what was written so far.
func (st *stream) flush() error {
	if err := st.w.Flush(); err != nil {
		return err
	}
	return st.c.control.Flush()
}
