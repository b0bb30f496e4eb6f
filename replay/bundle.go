package replay

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A bundle is a file that holds the logs of several nodes. It is a sequence of
// blocks:
//
//	 0  magic     "CKB\x01"
//	 4  kind      1 byte, below
//	 5  flags     1 byte; 1: the payload is compressed (RFC 1951)
//	 6  log       uint16, which log it belongs to, from 1; 0: the file
//	 8  first     uint64, local index of the first record in it
//	16  records   uint32, how many records
//	20  raw       uint32, bytes of the payload
//	24  stored    uint32, bytes that it takes in the file, behind this header
//	28  crc       CRC-32C of those
//	32  crc       CRC-32C of the 32 bytes before
//	36  payload
//
// numbers little endian. The kinds, in the order in which they come:
//
//	file        JSON, BundleInfo
//	log         JSON, BundleLog; begins a log
//	checkpoint  cluster-state.json as it was
//	base        received uvarint, then the snapshot that begins a segment
//	records     each: index - the one before uvarint | kind 1 byte (0 event, 1 snapshot)
//	            | received - the one before varint | size uvarint | bytes
//	damage      JSON, Damage: a stretch that could not be read when the bundle was made
//	end         uint64: how many blocks there are before it
//
// A log is divided into segments as it was on disk, each beginning with the
// state of everything before it, so a point in a bundle is found as fast. Each
// block is found again by its magic when one before it is damaged, and a file
// without its end is cut short.
const (
	bundleMagic  = "CKB\x01"
	bundleHeader = 36

	flagDeflated = 1

	maxBlock = 1 << 31 // bytes of a payload
	fullAt   = 256 << 10
)

// The kinds of block.
const (
	blockFile byte = iota + 1
	blockLog
	blockCheckpoint
	blockBase
	blockRecords
	blockDamage
	blockEnd
)

// BundleInfo says what a bundle is.
type BundleInfo struct {
	Version  int    `json:"v"`
	Redacted string `json:"redacted,omitempty"` // fingerprint of the key, when names were replaced
}

// BundleLog says whose log follows.
type BundleLog struct {
	Name    string `json:"name"` // unique in the bundle
	Node    string `json:"node,omitempty"`
	Cluster string `json:"cluster,omitempty"`

	Redacted string `json:"redacted,omitempty"` // fingerprints of the keys, when names were replaced

	Extent *Extent `json:"part,omitempty"` // of a part of a log
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// blockHead is the header of a block.
type blockHead struct {
	kind, flags byte
	log         uint16
	first       uint64
	records     uint32
	raw, stored uint32
	crc         uint32
}

func (h *blockHead) append(b []byte) []byte {
	at := len(b)
	b = append(b, bundleMagic...)
	b = append(b, h.kind, h.flags)
	b = binary.LittleEndian.AppendUint16(b, h.log)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	for _, n := range [...]uint32{h.records, h.raw, h.stored, h.crc} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

// parse reads a header and reports whether it is one.
func (h *blockHead) parse(b []byte) bool {
	if len(b) < bundleHeader || string(b[:4]) != bundleMagic ||
		crc32.Checksum(b[:bundleHeader-4], castagnoli) != binary.LittleEndian.Uint32(b[bundleHeader-4:]) {
		return false
	}
	h.kind, h.flags, h.log = b[4], b[5], binary.LittleEndian.Uint16(b[6:])
	h.first, h.records = binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint32(b[16:])
	h.raw, h.stored, h.crc = binary.LittleEndian.Uint32(b[20:]), binary.LittleEndian.Uint32(b[24:]), binary.LittleEndian.Uint32(b[28:])
	return h.kind >= blockFile && h.kind <= blockEnd && h.raw <= maxBlock && h.stored <= maxBlock
}

// bundleWriter writes a bundle. Errors of writing are kept until close.
type bundleWriter struct {
	w       io.Writer
	deflate bool
	err     error
	blocks  uint64
	log     uint16
	buf     bytes.Buffer
	z       *flate.Writer
	head    []byte

	records  []byte // of the block that is being gathered
	count    uint32
	first    uint64
	index    uint64 // of the last record
	received int64  // of the last record
}

func newBundleWriter(w io.Writer, deflate bool, info BundleInfo) *bundleWriter {
	b := &bundleWriter{w: w, deflate: deflate}
	info.Version = 1
	b.json(blockFile, info)
	return b
}

// begin begins a log.
func (b *bundleWriter) begin(l BundleLog) {
	b.flush()
	b.log++
	b.index, b.received = 0, 0
	b.json(blockLog, l)
}

// add adds a record, or the base of a segment.
func (b *bundleWriter) add(e *Entry) {
	if !e.IsEvent() && e.Base {
		b.flush()
		payload := append(binary.AppendUvarint(nil, uint64(max(e.Received, 0))), e.Snapshot...)
		b.write(blockHead{kind: blockBase, first: e.Index, records: 1}, payload)
		b.index, b.received = e.Index, max(e.Received, 0)
		return
	}
	if b.count == 0 {
		b.first, b.index, b.received = e.Index, e.Index, 0
	}
	kind, content := byte(0), e.raw
	if !e.IsEvent() {
		kind, content = 1, e.Snapshot
	}
	r := append(binary.AppendUvarint(b.records, e.Index-b.index), kind)
	r = binary.AppendVarint(r, e.Received-b.received)
	b.records = append(binary.AppendUvarint(r, uint64(len(content))), content...)
	b.index, b.received = e.Index, e.Received
	if b.count++; len(b.records) >= fullAt {
		b.flush()
	}
}

// flush writes the records that were gathered.
func (b *bundleWriter) flush() {
	if b.count > 0 {
		b.write(blockHead{kind: blockRecords, first: b.first, records: b.count}, b.records)
	}
	b.records, b.count = b.records[:0], 0
}

func (b *bundleWriter) damage(d Damage) {
	b.flush()
	b.json(blockDamage, d)
}

func (b *bundleWriter) checkpoint(c []byte) { b.write(blockHead{kind: blockCheckpoint}, c) }

func (b *bundleWriter) json(kind byte, v any) {
	text, err := json.Marshal(v)
	if b.err == nil {
		b.err = err
	}
	b.write(blockHead{kind: kind}, text)
}

func (b *bundleWriter) write(h blockHead, payload []byte) {
	if b.err != nil {
		return
	}
	if len(payload) > maxBlock {
		b.err = fmt.Errorf("a snapshot of %s is too large", Size(int64(len(payload))))
		return
	}
	h.log, h.raw = b.log, uint32(len(payload))
	if b.deflate && len(payload) > 64 {
		if payload, b.err = b.squeeze(payload); b.err != nil {
			return
		}
		h.flags |= flagDeflated
	}
	h.stored, h.crc = uint32(len(payload)), crc32.Checksum(payload, castagnoli)
	b.head = h.append(b.head[:0])
	if _, b.err = b.w.Write(b.head); b.err == nil {
		_, b.err = b.w.Write(payload)
	}
	b.blocks++
}

func (b *bundleWriter) squeeze(payload []byte) ([]byte, error) {
	b.buf.Reset()
	if b.z == nil {
		b.z, _ = flate.NewWriter(&b.buf, flate.DefaultCompression) // only a wrong level is an error
	} else {
		b.z.Reset(&b.buf)
	}
	_, err := b.z.Write(payload)
	err = errors.Join(err, b.z.Close())
	return b.buf.Bytes(), err
}

// close writes the end. It does not close the writer below.
func (b *bundleWriter) close() error {
	b.flush()
	b.log = 0
	b.write(blockHead{kind: blockEnd}, binary.LittleEndian.AppendUint64(nil, b.blocks))
	return b.err
}

// open verifies the payload of a block and returns it.
func (h *blockHead) open(stored []byte) ([]byte, error) {
	if crc32.Checksum(stored, castagnoli) != h.crc {
		return nil, errors.New("checksum mismatch")
	}
	if h.flags&flagDeflated == 0 {
		return stored, nil
	}
	raw := make([]byte, h.raw)
	z := flate.NewReader(bytes.NewReader(stored))
	if _, err := io.ReadFull(z, raw); err != nil {
		return nil, fmt.Errorf("does not unpack: %w", err)
	}
	if n, _ := z.Read(make([]byte, 1)); n > 0 {
		return nil, errors.New("unpacks to more than it says")
	}
	return raw, nil
}
