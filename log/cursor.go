package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Cursor reads the durable records of an open log in local order, without end:
// it waits for those to come. It queues nothing and holds nobody up. Several
// may read at the same time; one is for one goroutine.
type Cursor struct {
	l    *Log
	next uint64
	seg  *segment // that w reads; nil when it is to be found
	file *os.File
	w    walker
	rec  Record
}

// Records returns a cursor whose first record is the one with the given index;
// 0 means the oldest that is kept.
func (l *Log) Records(from uint64) *Cursor {
	if from == 0 {
		from = l.First()
	}
	return &Cursor{l: l, next: from}
}

// Next returns the next record, waiting for it if need be. The Record is valid
// until the next call; its Bytes are the caller's for good, but share memory of
// up to 64 KiB with those of their neighbours.
//
// It returns the error of ctx, ErrClosed once the log is closed, ErrCompacted
// when the record is not kept any more, and a *CorruptError when it is damaged.
func (c *Cursor) Next(ctx context.Context) (*Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		select {
		case <-c.l.closing:
			return nil, ErrClosed
		default:
		}
		r, err := c.step()
		if r != nil || err != nil {
			return r, err
		}
		changed := c.l.growth.next()
		if c.l.Last() >= c.next {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-c.l.closing:
		}
	}
}

// step returns the next record, or nothing when it is not there yet.
func (c *Cursor) step() (*Record, error) {
	for {
		if c.l.Last() < c.next {
			return nil, nil
		}
		if c.seg == nil {
			if err := c.open(); err != nil {
				return nil, err
			}
		}
		sealed := c.seg.sealed.Load()
		c.w.limit = c.seg.size.Load()
		if c.w.off == c.w.limit && sealed {
			c.Close()
			continue
		}
		if err := c.w.next(&c.rec); err != nil {
			return nil, damage(&c.w, err)
		}
		if c.rec.Index == c.next {
			c.next++
			return &c.rec, nil
		}
	}
}

// open finds the segment of the next record and stands at it or before it.
func (c *Cursor) open() error {
	for {
		all := *c.l.segments.Load()
		i := segmentOf(all, c.next)
		if i < 0 {
			return fmt.Errorf("%w: record %d", ErrCompacted, c.next)
		}
		seg := all[i]
		f, err := os.Open(seg.path)
		if errors.Is(err, fs.ErrNotExist) && c.l.First() > seg.base {
			continue // it was removed while we were looking
		}
		if err != nil {
			return fmt.Errorf("log: read: %w", err)
		}
		c.seg, c.file = seg, f
		c.w = walker{src: f, file: seg.path, index: seg.base, limit: seg.size.Load(), keep: true}
		if t := seg.table.Load(); t != nil {
			record, off := t.mark(int(c.next - seg.base))
			c.w.seek(seg.base+uint64(record), off)
		}
		return nil
	}
}

// Close gives back the file of a cursor that is not read to the end of time.
func (c *Cursor) Close() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file, c.seg = nil, nil
	return err
}

// Load reads what is needed to know the state: the snapshot at the start of the
// newest segment that has one, and everything after it, in order. Each later
// snapshot is given to snapshot as well: it replaces what came before. Bytes
// belong to whom they are given; a *Record is valid until the function
// returns. An error of either function ends the reading and is returned.
func (l *Log) Load(snapshot func([]byte) error, event func(*Record) error) error {
	all := *l.segments.Load()
	last := l.Last()
	if last == 0 || len(all) == 0 {
		return nil
	}
	from := all[0].base
	for i := len(all) - 1; i > 0; i-- {
		stands, err := l.stands(all[i])
		if err != nil {
			return err
		}
		if stands {
			from = all[i].base
			break
		}
	}
	c := l.Records(from)
	defer c.Close()
	for c.next <= last {
		r, err := c.step()
		if err != nil {
			return err
		}
		switch {
		case r.Kind == KindEvent:
			err = event(r)
		case len(r.Bytes) > 0:
			err = snapshot(r.Bytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stands reports whether a segment can be read without those before it.
func (l *Log) stands(seg *segment) (bool, error) {
	w := l.shelf.borrow(seg)
	defer l.shelf.giveBack(w)
	var r Record
	err := w.next(&r)
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, damage(w, err)
	}
	return r.Kind == KindSnapshot && len(r.Bytes) > 0, nil
}
