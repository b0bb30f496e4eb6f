package log

import (
	"encoding/binary"
	"errors"
	"io"
)

// The ways in which a walk ends, beside io.EOF at its limit.
var (
	errZero  = errors.New("log: zeros")                   // a length of zero: nothing was written here
	errShort = errors.New("log: a record beyond the end") // the file ends inside a record
)

// walker reads the records of one segment in order and verifies each.
//
// With keep set, the bytes of a record belong to whoever gets them: the walker
// reads into fresh memory and never writes there again. Several records share
// one piece of at most chunkSize bytes (or one record). Without it, the bytes
// of a record are valid until the next call.
type walker struct {
	src   io.ReaderAt
	file  string
	index uint64 // of the next record
	off   int64  // of the next record
	limit int64  // nothing at or beyond it is read
	keep  bool
	block int // how much is read at once; 0 means chunkSize or blockSize

	buf   []byte // what was read from off on
	store []byte // what buf is a part of, when it is used again
}

// How much is read at once.
const (
	chunkSize = 64 << 10  // when the memory is given away
	blockSize = 256 << 10 // when it is used again
)

// next reads one record. Its errors are io.EOF, errZero, errShort, a
// *CorruptError, or that of a read that failed; after each the walker stands
// where it stood.
func (w *walker) next(r *Record) error {
	for {
		n, k := prefix(w.buf)
		switch size := k + n; {
		case k > 0 && size <= len(w.buf) && n >= headerSize:
			if err := r.open(w.buf[k:size:size], w.index); err != nil {
				return w.damaged(err)
			}
			r.File, r.Offset, r.Size = w.file, w.off, size
			w.buf = w.buf[size:]
			w.off += int64(size)
			w.index++
			return nil
		case k < 0:
			return w.damaged(errLength)
		case k > 0 && n == 0:
			return errZero
		case k > 0 && n < headerSize:
			return w.damaged(errLength)
		case k > 0:
			if err := w.fill(size); err != nil {
				return err
			}
		default:
			if err := w.fill(len(w.buf) + 1); err != nil {
				return err
			}
		}
	}
}

// prefix reads the length before a payload and returns it with the bytes it
// takes: 0 when b ends inside it, a negative number when it cannot be one.
func prefix(b []byte) (n, k int) {
	if len(b) > 1 && b[0] >= 0x80 && b[1] < 0x80 && b[1] > 0 { // most are of this kind
		return int(b[0]&0x7f) | int(b[1])<<7, 2
	}
	v, k := binary.Uvarint(b[:min(len(b), maxPrefix)])
	switch {
	case k == 0 && len(b) >= maxPrefix:
		return 0, -1
	case k > 0 && (k != uvarintSize(v) || v > maxPayload):
		return 0, -1
	}
	return int(v), k
}

// fill sees to it that buf has at least need bytes.
func (w *walker) fill(need int) error {
	left := w.limit - w.off
	if left == 0 {
		return io.EOF
	}
	if int64(need) > left {
		return errShort
	}
	want := w.block
	switch {
	case want == 0 && w.keep:
		want = chunkSize
	case want == 0:
		want = blockSize
	}
	want = int(min(int64(max(need, want)), left))
	if w.keep {
		w.buf = make([]byte, want)
	} else {
		if len(w.store) < want {
			w.store = make([]byte, max(want, w.block))
		}
		w.buf = w.store[:want]
	}
	n, err := w.src.ReadAt(w.buf, w.off)
	w.buf = w.buf[:n:n]
	if n >= need {
		return nil
	}
	if err == io.EOF { // the file is shorter than it was
		w.limit = w.off + int64(n)
		if n == 0 {
			return io.EOF
		}
		return errShort
	}
	return err
}

// seek goes on with a record whose place is known.
func (w *walker) seek(index uint64, off int64) {
	if skip := off - w.off; skip >= 0 && skip <= int64(len(w.buf)) {
		w.buf = w.buf[skip:]
	} else {
		w.buf = nil
	}
	w.index, w.off = index, off
}

func (w *walker) damaged(why error) error {
	return &CorruptError{File: w.file, Offset: w.off, Index: w.index, Reason: why.Error()}
}
