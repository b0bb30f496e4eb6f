package log

import (
	"bufio"
	"path/filepath"

	"github.com/skshohagmiah/clusterkit/events"
)

// rewriter writes a log from records, with the indexes they get in it. Of the
// records it holds back the last one, whose batch may turn out to end with it.
type rewriter struct {
	d       disk
	dir     string
	salvage *Salvage

	m        manifest
	heads    events.Vector
	index    uint64 // of the last record
	received int64
	last     []byte // the payload of the last record
	frame    []byte // used again
	file     file   // of the open segment
	out      *bufio.Writer
	base     uint64
	size     int64
}

// rewrite makes the whole directory. Its MANIFEST comes last, so that nobody
// takes a part of it for a log.
func (w *rewriter) rewrite(dir string, l *loss, id Identity) error {
	wal, quarantine := filepath.Join(w.dir, walName), filepath.Join(w.dir, quarantineName)
	for _, path := range []string{w.dir, wal, quarantine} {
		if err := mkdirs(w.d, path); err != nil {
			return err
		}
	}
	err := w.records(dir, l)
	if e := w.seal(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := w.d.syncDir(wal); err != nil {
		return err
	}
	if err := w.salvage.quarantine(w.d, quarantine); err != nil {
		return err
	}
	if err := id.write(w.d, w.dir); err != nil {
		return err
	}
	if err := w.m.write(w.d, w.dir); err != nil || w.index == 0 {
		return err
	}
	return cleanMark{Last: w.index}.write(w.d, w.dir)
}

// records copies what can be read and puts into each hole what was found for it.
func (w *rewriter) records(dir string, l *loss) error {
	hole, file := 0, ""
	return l.survivors(dir, func(r *Record) error {
		if w.index == 0 {
			w.index = r.Index - 1
		}
		opens := r.File != file && r.Offset == 0 && r.Kind == KindSnapshot
		file = r.File
		w.salvage.Records++
		w.received = max(w.received, r.Received)
		if r.Kind == KindEvent {
			return w.event(r.Bytes, r.EndOfBatch)
		}
		w.heads.Merge(r.Vector())
		return w.snapshot(r.Bytes, opens, r.EndOfBatch)
	}, func(h Hole) error {
		if w.index == 0 {
			w.index = max(h.From, 1) - 1
		}
		w.endBatch() // the rest of it is lost
		for _, e := range l.foundFor(hole) {
			if err := w.event(e.Raw(), true); err != nil {
				return err
			}
			w.salvage.Filled++
		}
		hole++
		return nil
	})
}

func (w *rewriter) event(raw []byte, end bool) error {
	if w.base == 0 { // the first segment has lost its snapshot
		w.salvage.NoBase = w.index > 0
		if err := w.snapshot(nil, true, false); err != nil {
			return err
		}
	}
	if id, seq, ok := eventName(raw); ok {
		w.heads[id] = max(w.heads[id], seq)
	}
	return w.record(0, nil, raw, end)
}

func (w *rewriter) snapshot(state []byte, opens, end bool) error {
	if opens || w.base == 0 {
		if err := w.cut(); err != nil {
			return err
		}
	}
	return w.record(flagSnapshot, appendHeads(nil, w.heads), state, end)
}

func (w *rewriter) record(flags uint8, head, body []byte, end bool) error {
	if err := w.flush(); err != nil {
		return err
	}
	if end {
		flags |= flagEnd
	}
	w.index++
	h := header{index: w.index, durable: w.index - 1, received: w.received, flags: flags}
	w.last = h.appendPayload(w.last[:0], head, body)
	return nil
}

// endBatch makes the last record the end of its batch.
func (w *rewriter) endBatch() {
	if len(w.last) > 0 && w.last[5]&flagEnd == 0 {
		w.last[5] |= flagEnd
		putChecksum(w.last, w.index)
	}
}

// flush gives away the last record.
func (w *rewriter) flush() error {
	if len(w.last) == 0 {
		return nil
	}
	w.frame = appendFrame(w.frame[:0], w.last)
	n, err := w.out.Write(w.frame)
	w.size += int64(n)
	if w.last = w.last[:0]; cap(w.last) > maxGroupBytes {
		w.last, w.frame = nil, nil // a rare giant does not stay in memory
	}
	return err
}

// cut ends the open segment and begins the next.
func (w *rewriter) cut() error {
	if err := w.seal(); err != nil {
		return err
	}
	if w.base != 0 {
		w.m.sealed = append(w.m.sealed, sealedEntry{w.base, w.size, w.received})
	}
	w.base, w.size = w.index+1, 0
	w.m.open = w.base
	f, err := w.d.create(filepath.Join(w.dir, walName, segmentName(w.base)))
	if err != nil {
		return err
	}
	w.file, w.out = f, bufio.NewWriterSize(&fileWriter{f: f}, blockSize)
	return nil
}

// seal ends the open segment, durably.
func (w *rewriter) seal() error {
	if w.file == nil {
		return nil
	}
	w.endBatch()
	err := w.flush()
	if err == nil {
		err = w.out.Flush()
	}
	if err == nil {
		err = w.file.sync()
	}
	if e := w.file.close(); err == nil {
		err = e
	}
	w.file, w.out = nil, nil
	return err
}
