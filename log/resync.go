package log

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/skshohagmiah/clusterkit/events"
)

// found is a record found in bytes whose beginning is damaged.
type found struct {
	off  int // where it begins
	size int
	Record
}

// findRecord looks for the first record in b, from byte from on, that verifies
// as one with an index in [least, most]. Nobody knows how many records were
// lost before it, but the checksum does: it tells with which index the record
// was written.
func findRecord(b []byte, from int, least, most uint64) (found, bool) {
	for at := from; at+1+headerSize <= len(b); at++ {
		n, k := prefix(b[at:])
		if k <= 0 || n < headerSize || n > len(b)-at-k {
			continue
		}
		p := b[at+k : at+k+n]
		if p[4] != recordVersion || p[5]&^knownFlags != 0 {
			continue
		}
		if p[5]&flagSnapshot == 0 {
			if _, _, ok := eventName(p[headerSize:]); !ok {
				continue
			}
		}
		index := seededIndex(writtenSeed(p), least)
		if index > most {
			continue
		}
		f := found{off: at, size: k + n}
		if f.open(p, index) == nil {
			return f, true
		}
	}
	return found{}, false
}

// writtenSeed returns the seed with which the checksum of a payload comes out
// right. The checksum is linear: what the stored one differs by from that of
// seed zero is the seed, shifted through as many zero bytes as the payload has.
// Shifting back finds it.
func writtenSeed(payload []byte) uint32 {
	d := binary.LittleEndian.Uint32(payload) ^ crc32.Update(0, castagnoli, payload[4:])
	for range len(payload) - 4 {
		i := unshift[d>>24]
		d = (d^castagnoli[i])<<8 | uint32(i)
	}
	return d
}

// unshift[t] is the entry of the CRC table whose top byte is t.
var unshift = func() (inverse [256]uint8) {
	for i, v := range castagnoli {
		inverse[v>>24] = uint8(i)
	}
	return inverse
}()

// seededIndex returns the smallest index from least on that has a seed.
func seededIndex(s uint32, least uint64) uint64 {
	for high := least >> 32; ; high++ {
		if index := high<<32 | uint64(s^uint32(high)); index >= least {
			return index
		}
	}
}

// wasWhole reports whether the bytes at the start of b, where the record with
// the given index should be and does not verify, were that record once, whole,
// and changed later. A write that was cut off by a crash leaves another
// picture: whole sectors of it are missing, and they read as zeros or lie
// beyond the end of the file.
//
//	off is where b begins in the file, before the record in front of it.
func wasWhole(b []byte, off int64, index uint64, before *Record) bool {
	if size := sizeByChecksum(b, index, before); size > 0 {
		return !hasLostSector(b[:size], off) // else it is the sector with the length that is missing
	}
	n, k := prefix(b)
	if k <= 0 || n < headerSize || k+n > len(b) {
		return false
	}
	p := b[k : k+n]
	if at, bit := wrongBit(p, index); bit != 0 {
		flags := p[5]
		if at == 5 {
			flags ^= bit
		}
		if flags&flagEnd == 0 && allZero(b[k+n:]) {
			return false // the rest of its batch was never written
		}
		return !isLostSector(b[:k+n], off, k+at)
	}
	if looksLike(p, index, before) < 3 || seededIndex(writtenSeed(p), 0) < index {
		return false // nothing of ours, or an old record that the disk gave back
	}
	if allZero(b[k+n:]) && (p[n-1] == 0 || p[5]&flagEnd == 0) {
		return false // the write stopped here, in the record or behind it
	}
	return !hasLostSector(b[:k+n], off)
}

// sizeByChecksum returns how long the record at the start of b is if all of it
// verifies but its length, which was changed; zero if it does not.
func sizeByChecksum(b []byte, index uint64, before *Record) int {
	end := min(len(trimZeros(b))+64, len(b)) // an event ends in its chain
	for k := 1; k <= maxPrefix && k+headerSize <= end; k++ {
		p := b[k:end]
		if looksLike(p, index, before) < 3 {
			continue
		}
		want := ^binary.LittleEndian.Uint32(p)
		register := ^crc32.Update(seed(index), castagnoli, p[4:headerSize])
		for i, c := range p[headerSize:min(len(p), headerSize+events.MaxEventSize)] {
			if register == want {
				return k + headerSize + i
			}
			register = castagnoli[byte(register)^c] ^ register>>8
		}
		if register == want {
			return end
		}
	}
	return 0
}

// wrongBit returns in which byte of a payload one bit has to be turned so that
// it verifies, and the bit; or no bit.
func wrongBit(payload []byte, index uint64) (at int, bit byte) {
	d := binary.LittleEndian.Uint32(payload) ^ checksum(payload, index)
	if bits.OnesCount32(d) == 1 { // of the checksum itself
		n := bits.TrailingZeros32(d)
		return n / 8, 1 << (n % 8)
	}
	// A wrong bit in a byte is as that bit alone in the register, shifted
	// through this byte and all behind it.
	for at := len(payload) - 1; at >= 4; at-- {
		i := unshift[d>>24]
		d = (d^castagnoli[i])<<8 | uint32(i)
		if d < 256 && bits.OnesCount32(d) == 1 {
			return at, byte(d)
		}
	}
	return 0, 0
}

// looksLike counts the signs that a damaged payload was the record with the
// given index.
func looksLike(p []byte, index uint64, before *Record) (signs int) {
	sign := func(yes bool) {
		if yes {
			signs++
		}
	}
	distance := uint64(binary.LittleEndian.Uint32(p[6:]))
	received := int64(uint64(binary.LittleEndian.Uint32(p[10:])) | uint64(binary.LittleEndian.Uint16(p[14:]))<<32)
	const year = 365 * 24 * 60 * 60 * 1000
	sign(p[4] == recordVersion)
	sign(p[5]&^knownFlags == 0)
	sign(distance == 1 || before.Index != 0 && distance == index-before.durable)
	sign(received >= before.Received && received < before.Received+year && received != 0)
	sign(p[5]&flagSnapshot == 0 && len(p) > headerSize+2 && p[headerSize] == 1<<3|2 && p[headerSize+1] == 16)
	return signs
}

// sectorSize is the least that a disk writes at once.
const sectorSize = 512

// hasLostSector reports whether the part of b in some sector is all zeros. off
// is where b begins in the file.
func hasLostSector(b []byte, off int64) bool {
	for at := 0; at < len(b); {
		if isLostSector(b, off, at) {
			return true
		}
		at += int(sectorSize - (off+int64(at))%sectorSize)
	}
	return false
}

// isLostSector reports whether the part of b in the sector of one of its bytes
// is all zeros.
func isLostSector(b []byte, off int64, at int) bool {
	from := at - int((off+int64(at))%sectorSize)
	return allZero(b[max(from, 0):min(from+sectorSize, len(b))])
}

func allZero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
