package replay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/skshohagmiah/clusterkit/projection"
)

// maxLogs bounds how many logs a bundle may hold.
const maxLogs = 1024

// bundle is an open bundle: a table of its blocks.
type bundle struct {
	file    *os.File
	name    string
	size    int64
	info    BundleInfo
	logs    []*bundled
	counted uint64     // blocks that the end says there are before it
	users   int        // logs that are not closed
	remove  func()     // when the last is closed
	lost    []blockRef // stretches of the file that are no blocks, told by each log
}

// blockRef is where a block is.
type blockRef struct {
	blockHead
	at     int64
	reason string // what is wrong, when it cannot be read
}

// bundled is the feed of one log of a bundle.
type bundled struct {
	*bundle
	BundleLog
	blocks  []blockRef // in order
	parts   []int      // where in blocks each segment begins
	list    []segment
	beside  *blockRef // the checkpoint
	damages []Damage
}

// openBundle reads the table of blocks. It takes memory for that alone.
func openBundle(f *os.File, name string) (*bundle, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := &bundle{file: f, name: name, size: info.Size()}
	ended := false
	blocks := uint64(0)
	for at := int64(0); at < b.size; blocks++ {
		ref, next, err := b.blockAt(at)
		if err != nil {
			return nil, err
		}
		if ref.reason != "" {
			b.lose(ref)
		} else if ended, err = b.take(ref); err != nil {
			return nil, err
		}
		at = next
	}
	if ended && len(b.lost) == 0 && b.counted != blocks-1 {
		b.lose(blockRef{at: b.size, reason: fmt.Sprintf("%d blocks are missing", b.counted-blocks+1)})
	}
	if !ended {
		b.lose(blockRef{at: b.size, reason: "the file is cut short"})
	}
	if len(b.logs) == 0 && len(b.lost) > 0 {
		return nil, &Damage{File: name, Offset: b.lost[0].at, Reason: b.lost[0].reason}
	}
	for _, l := range b.logs {
		l.divide()
	}
	b.users = len(b.logs)
	return b, nil
}

// lose notes a stretch that cannot be read, in the log where it is: and in all
// of them when that is not known.
func (b *bundle) lose(ref blockRef) {
	if n := len(b.logs); n > 0 {
		b.logs[n-1].blocks = append(b.logs[n-1].blocks, ref)
	}
	b.lost = append(b.lost, ref)
}

// blockAt returns the block at an offset, or what is wrong there, and where the
// next one may begin.
func (b *bundle) blockAt(at int64) (blockRef, int64, error) {
	ref := blockRef{at: at}
	var head [bundleHeader]byte
	n, err := b.file.ReadAt(head[:], at)
	if err != nil && err != io.EOF {
		return ref, 0, err
	}
	if ref.parse(head[:n]) {
		end := at + bundleHeader + int64(ref.stored)
		if end <= b.size {
			return ref, end, nil
		}
		ref.reason = "the file is cut short"
		return ref, b.size, nil
	}
	ref.reason = "no block"
	next, err := b.search(at + 1)
	return ref, next, err
}

// search finds the next block that has a valid header.
func (b *bundle) search(from int64) (int64, error) {
	const window = 1 << 20
	buf := make([]byte, window+bundleHeader)
	for at := from; at < b.size; at += window {
		n, err := b.file.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return 0, err
		}
		for i := 0; ; i++ {
			j := bytes.Index(buf[i:n], []byte(bundleMagic))
			if j < 0 || i+j >= window {
				break
			}
			i += j
			if new(blockHead).parse(buf[i:n]) {
				return at + int64(i), nil
			}
		}
	}
	return b.size, nil
}

// take notes a block. It reports whether it is the end.
func (b *bundle) take(ref blockRef) (ended bool, err error) {
	n := len(b.logs)
	switch ref.kind {
	case blockFile, blockLog, blockDamage, blockEnd:
		payload, err := b.payload(&ref)
		if err != nil {
			ref.reason = err.Error()
			b.lose(ref)
			return ref.kind == blockEnd, nil
		}
		return ref.kind == blockEnd, b.takeSmall(&ref, payload)
	}
	if n == 0 || int(ref.log) != n {
		ref.reason = "a block of a log that does not begin"
		b.lose(ref)
		return false, nil
	}
	if ref.kind == blockCheckpoint {
		b.logs[n-1].beside = &ref
	} else {
		b.logs[n-1].blocks = append(b.logs[n-1].blocks, ref)
	}
	return false, nil
}

// takeSmall takes a block that is read at once.
func (b *bundle) takeSmall(ref *blockRef, payload []byte) error {
	n := len(b.logs)
	switch ref.kind {
	case blockFile:
		if err := json.Unmarshal(payload, &b.info); err != nil || b.info.Version != 1 {
			return fmt.Errorf("%s: a bundle of version %d, which this version cannot read", b.name, b.info.Version)
		}
	case blockLog:
		l := &bundled{bundle: b}
		if n == 0 {
			l.blocks = append(l.blocks, b.lost...)
		}
		if n >= maxLogs || json.Unmarshal(payload, &l.BundleLog) != nil {
			return fmt.Errorf("%s: byte %d: no log", b.name, ref.at)
		}
		for n+1 < int(ref.log) && n < maxLogs { // what is before it was lost
			n++
			b.logs = append(b.logs, &bundled{bundle: b, BundleLog: BundleLog{Name: fmt.Sprintf("lost-%d", n)}, blocks: b.lost})
		}
		b.logs = append(b.logs, l)
	case blockEnd:
		if len(payload) != 8 {
			return fmt.Errorf("%s: byte %d: no end", b.name, ref.at)
		}
		b.counted = binary.LittleEndian.Uint64(payload)
	case blockDamage:
		var d Damage
		if n == 0 || json.Unmarshal(payload, &d) != nil {
			return fmt.Errorf("%s: byte %d: no damage", b.name, ref.at)
		}
		b.logs[n-1].damages = append(b.logs[n-1].damages, d)
		b.logs[n-1].blocks = append(b.logs[n-1].blocks, *ref)
	}
	return nil
}

func (b *bundle) payload(ref *blockRef) ([]byte, error) {
	if ref.reason != "" {
		return nil, errors.New(ref.reason)
	}
	if ref.flags&^flagDeflated != 0 || int64(ref.raw) > 1100*int64(ref.stored)+1024 { // deflate cannot do better
		return nil, errors.New("impossible header")
	}
	stored := make([]byte, ref.stored)
	if _, err := b.file.ReadAt(stored, ref.at+bundleHeader); err != nil {
		return nil, err
	}
	return ref.open(stored)
}

// divide finds the segments of a log.
func (l *bundled) divide() {
	for i := range l.blocks {
		ref := &l.blocks[i]
		if len(l.list) == 0 || ref.kind == blockBase && ref.reason == "" {
			l.parts = append(l.parts, i)
			l.list = append(l.list, segment{first: max(ref.first, 1), file: l.name})
		}
	}
	if len(l.list) == 0 {
		l.parts, l.list = []int{0}, []segment{{first: 1, file: l.name}}
	}
}

func (l *bundled) segments() []segment { return l.list }

func (l *bundled) close() error {
	if l.users--; l.users > 0 {
		return nil
	}
	err := l.file.Close()
	if l.remove != nil {
		l.remove()
	}
	return err
}

// opening returns the snapshot with which segment i begins, nil for none.
func (l *bundled) opening(i int) ([]byte, error) {
	if l.parts[i] >= len(l.blocks) {
		return nil, nil
	}
	ref := &l.blocks[l.parts[i]]
	if ref.reason == "" && ref.kind != blockBase {
		return nil, nil
	}
	b, err := l.payload(ref)
	if err == nil {
		if _, n := binary.Uvarint(b); n > 0 {
			return b[n:], nil
		}
		err = errors.New("no snapshot")
	}
	return nil, l.damaged(ref, err)
}

func (l *bundled) damaged(ref *blockRef, err error) *Damage {
	d := &Damage{File: l.name, Offset: ref.at, Bytes: int64(ref.stored), Reason: err.Error()}
	if ref.records > 0 {
		d.From, d.Until = ref.first, ref.first+uint64(ref.records)
	}
	return d
}

func (l *bundled) base(_ context.Context, i int) (*projection.State, error) {
	b, err := l.opening(i)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return projection.NewState(), nil
	}
	return projection.ReadSnapshot(b)
}

func (l *bundled) marks(ctx context.Context, i int) (marks, error) {
	b, err := l.opening(i)
	if err != nil {
		return nil, err
	}
	if m, ok := marksOfSnapshot(b); ok {
		return m, nil
	}
	state, err := l.base(ctx, i)
	if err != nil {
		return nil, err
	}
	return marksOfState(state), nil
}

func (l *bundled) entries(ctx context.Context, from uint64) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		first := l.parts[segmentOf(l.list, from)]
		if from <= l.list[0].first {
			first = 0
		} else if len(l.blocks) > 0 && from > 0 && l.list[0].first > from {
			yield(nil, ErrNotKept)
			return
		}
		told := 0
		for i := range l.blocks[:first] {
			if l.blocks[i].kind == blockDamage && l.blocks[i].reason == "" {
				told++
			}
		}
		for i := first; i < len(l.blocks); i++ {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			ref := &l.blocks[i]
			if ref.kind == blockDamage && ref.reason == "" {
				d := l.damages[told]
				if told++; !yield(nil, &d) {
					return
				}
				continue
			}
			if ref.reason == "" && ref.kind == blockRecords && ref.first+uint64(ref.records) <= from && ref.records > 0 && i+1 < len(l.blocks) && l.blocks[i+1].first <= from && l.blocks[i+1].kind == blockRecords {
				continue // all of it is before
			}
			b, err := l.payload(ref)
			if err != nil {
				if !yield(nil, l.damaged(ref, err)) {
					return
				}
				continue
			}
			if !l.read(ref, b, from, yield) {
				return
			}
		}
	}
}

// read yields the records of a block.
func (l *bundled) read(ref *blockRef, b []byte, from uint64, yield func(*Entry, error) bool) bool {
	e := Entry{Index: ref.first, File: l.name, Offset: ref.at}
	if ref.kind == blockBase {
		received, n := binary.Uvarint(b)
		e.Received, e.Base, e.Snapshot, e.Size = int64(received), true, b[max(n, 0):], len(b)
		return e.Index < from || yield(&e, nil)
	}
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		if n <= 0 || n >= len(b) {
			return yield(nil, l.damaged(ref, errors.New("no record")))
		}
		kind := b[n]
		b = b[n+1:]
		later, n := binary.Varint(b)
		size, k := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || k <= 0 || size > uint64(len(b)-n-k) || kind > 1 {
			return yield(nil, l.damaged(ref, errors.New("no record")))
		}
		content := b[n+k : n+k+int(size) : n+k+int(size)]
		b = b[n+k+int(size):]
		e = Entry{Index: e.Index + step, Received: e.Received + later, File: l.name, Offset: ref.at, Size: len(content)}
		if e.Index < from {
			continue
		}
		ok := true
		if kind == 1 {
			e.Snapshot = content
		} else {
			e.raw = content
			e.glance, ok = glanceAt(content)
		}
		if !ok {
			ok = yield(nil, &Damage{File: l.name, Offset: ref.at, From: e.Index, Until: e.Index + 1, Reason: "no event"})
		} else {
			ok = yield(&e, nil)
		}
		if !ok {
			return false
		}
	}
	return true
}

// source returns the feed as a source.
func (l *bundled) source(kind Kind) *Source {
	s := &Source{Name: l.bundle.name, Kind: kind, node: l.Node, cluster: l.Cluster, redacted: cmp.Or(l.Redacted, l.info.Redacted), extent: l.Extent, feed: l}
	if len(l.logs) > 1 {
		s.Name += "#" + l.Name
	}
	if ref := l.beside; ref != nil {
		s.checkpoint = func() ([]byte, error) {
			b, err := l.payload(ref)
			if err != nil {
				return nil, l.damaged(ref, err)
			}
			return b, nil
		}
	}
	return s
}
