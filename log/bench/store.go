package main

import (
	"io"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/skshohagmiah/clusterkit/events"
	eventlog "github.com/skshohagmiah/clusterkit/log"
)

// store is who is measured. One goroutine at a time calls it, unless it says
// that it is safe for many.
type store interface {
	// append returns when all are durable.
	append(batch []events.Event) error
	close() error
}

// reader is a store that can be read. The bytes it gives are valid until the
// next are asked for.
type reader interface {
	store
	scan(do func([]byte) error) error
}

// finder is a store that finds single events.
type finder interface {
	store
	// finding returns a function for one goroutine, which returns one of the
	// events that are there by now, counted from 1.
	finding() (func(n uint64) ([]byte, error), error)
}

// maker makes a store in a directory of its own, or opens the one that is
// there.
type maker struct {
	name string
	open func(b *bench, dir string) (store, error)
	scan func(dir string, do func([]byte) error) error // reads without opening; may be nil
}

func makers() []maker {
	return []maker{{"log", openLog, scanLog}, {"raft-wal", openRaftWAL, nil}, {"etcd wal", openEtcd, scanEtcd},
		{"rosedb wal", openRose, nil}, {"bbolt", openBolt, nil}, {"tidwall/wal", openTidwall, nil}}
}

func rawMaker(name string) maker { return maker{name, openRaw, nil} }

// raw is the limit: records one after the other, and fdatasync.
type raw struct {
	f   *os.File
	buf []byte
}

func openRaw(_ *bench, dir string) (store, error) {
	f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	return &raw{f: f}, err
}

func (r *raw) append(batch []events.Event) error {
	r.buf = r.buf[:0]
	for i := range batch {
		r.buf = append(r.buf, batch[i].Raw()...)
	}
	if _, err := r.f.Write(r.buf); err != nil {
		return err
	}
	return syscall.Fdatasync(int(r.f.Fd()))
}

// finding knows where each record is, because all are of one size, and believes
// what it finds there.
func (r *raw) finding() (func(n uint64) ([]byte, error), error) {
	b := make([]byte, recordSize)
	return func(n uint64) ([]byte, error) {
		_, err := r.f.ReadAt(b, int64(n-1)*recordSize)
		return b, err
	}, nil
}

func (r *raw) scan(do func([]byte) error) error {
	read, _ := r.finding()
	for n := uint64(1); ; n++ {
		b, err := read(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
	}
}

func (r *raw) close() error { return r.f.Close() }

// ours is the log.
type ours struct{ *eventlog.Log }

func (b *bench) options() eventlog.Options {
	return eventlog.Options{NodeID: "n1", Cluster: "bench", Logger: b.logger}
}

func openLog(b *bench, dir string) (store, error) {
	l, err := eventlog.Open(dir, b.options())
	return ours{l}, err
}

func (l ours) append(batch []events.Event) error { _, err := l.Append(batch); return err }
func (l ours) close() error                      { return l.Close() }

// scanLog reads all events, verified.
func scanLog(dir string, do func([]byte) error) error {
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Scan(func(rec *eventlog.Record) error {
		if rec.Kind != eventlog.KindEvent {
			return nil
		}
		return do(rec.Bytes)
	})
}

// decodeLog reads all events, decoded and valid until the next.
func decodeLog(dir string, do func([]byte) error) error {
	var d events.Decoder
	return scanLog(dir, func(b []byte) error {
		e, err := d.Decode(b)
		if err != nil {
			return err
		}
		return do(e.Raw())
	})
}

// keepLog reads all events, decoded, and they may be kept for ever.
func keepLog(dir string, do func([]byte) error) error {
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		return err
	}
	defer r.Close()
	var d events.Decoder
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Kind != eventlog.KindEvent {
			continue
		}
		e, err := d.Decode(rec.Bytes)
		if err != nil {
			return err
		}
		if err := do(e.Raw()); err != nil {
			return err
		}
	}
}

func (l ours) finding() (func(n uint64) ([]byte, error), error) {
	// Each segment begins with a snapshot, so the nth event is not the nth
	// record: begin is the record before the first event of each segment.
	var rec eventlog.Record
	var begin []uint64
	for i := uint64(1); i <= l.Last(); i++ {
		if err := l.ReadInto(i, &rec); err != nil {
			return nil, err
		}
		if rec.Kind == eventlog.KindSnapshot {
			begin = append(begin, i-uint64(len(begin)))
		}
	}
	return func(n uint64) ([]byte, error) {
		before := sort.Search(len(begin), func(i int) bool { return begin[i] > n })
		err := l.ReadInto(n+uint64(before), &rec)
		return rec.Bytes, err
	}, nil
}

// readAll reads all events in a directory, opening included.
func (m *maker) readAll(b *bench, dir string, do func([]byte) error) error {
	if m.scan != nil {
		return m.scan(dir, do)
	}
	s, err := m.open(b, dir)
	if err != nil {
		return err
	}
	defer s.close()
	return s.(reader).scan(do)
}
