package log

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// manifest lists the segments of a log, oldest first, so that one which is
// missing, cut off or foreign is noticed without reading any. It is written
// anew, durably, whenever a segment is added or removed: before the first
// record goes into a new one, and before the file of an old one goes.
//
//	clusterkit log 1
//	archive "/var/archive"          only when segments are archived there
//	segment 1 4194100 1795390625120
//	segment 30211 4194288 1795390689544
//	open 60502
//	crc32c 0123abcd
//
// A sealed segment has its base (the index of its first record), its size in
// bytes and the time of its newest record in Unix milliseconds. The open one
// has its base only. A log without any record has no segment.
type manifest struct {
	archive string
	sealed  []sealedEntry
	open    uint64 // base; 0 when there is none
}

type sealedEntry struct {
	base   uint64
	size   int64
	newest int64
}

// lists reports whether the manifest knows a segment.
func (m *manifest) lists(base uint64) bool {
	_, ok := slices.BinarySearchFunc(m.sealed, base, func(s sealedEntry, base uint64) int { return cmp.Compare(s.base, base) })
	return ok || base == m.open
}

// first returns the base of the oldest segment, 0 when there is none.
func (m *manifest) first() uint64 {
	if len(m.sealed) > 0 {
		return m.sealed[0].base
	}
	return m.open
}

const manifestHead = "clusterkit log 1\n"

func (m *manifest) encode() []byte {
	b := []byte(manifestHead)
	if m.archive != "" {
		b = fmt.Appendf(b, "archive %q\n", m.archive)
	}
	for _, s := range m.sealed {
		b = append(b, "segment "...)
		b = append(strconv.AppendUint(b, s.base, 10), ' ')
		b = append(strconv.AppendInt(b, s.size, 10), ' ')
		b = append(strconv.AppendInt(b, s.newest, 10), '\n')
	}
	if m.open != 0 {
		b = append(strconv.AppendUint(append(b, "open "...), m.open, 10), '\n')
	}
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, castagnoli))
}

func (m *manifest) write(d disk, dir string) error {
	if err := writeFile(d, filepath.Join(dir, manifestName), m.encode()); err != nil {
		return err
	}
	return d.syncDir(dir)
}

// readManifest reads the manifest of a data directory. Every error but that of
// the reading is a *CorruptError.
func readManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(b)
	if err != nil {
		return nil, &CorruptError{File: path, Reason: err.Error()}
	}
	return m, nil
}

func decodeManifest(b []byte) (*manifest, error) {
	sum := bytes.LastIndex(b, []byte("\ncrc32c ")) + 1
	if sum == 0 || !bytes.Equal(b[sum:], fmt.Appendf(nil, "crc32c %08x\n", crc32.Checksum(b[:sum], castagnoli))) {
		return nil, errChecksum
	}
	rest, ok := strings.CutPrefix(string(b[:sum]), manifestHead)
	if !ok {
		return nil, fmt.Errorf("it does not begin with %q", manifestHead[:len(manifestHead)-1])
	}
	m := new(manifest)
	var last uint64
	for line := range strings.Lines(rest) {
		base, err := m.decodeLine(strings.Fields(line), line)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		if base != 0 && (base <= last || m.open != 0 && base != m.open) {
			return nil, fmt.Errorf("line %q: out of order", line)
		}
		last = max(last, base)
	}
	if m.open == 0 && len(m.sealed) > 0 {
		return nil, fmt.Errorf("no open segment")
	}
	return m, nil
}

// decodeLine reads one line and returns the base that it names, if any.
func (m *manifest) decodeLine(f []string, line string) (base uint64, err error) {
	switch {
	case len(f) == 4 && f[0] == "segment":
		var s sealedEntry
		if s.base, err = strconv.ParseUint(f[1], 10, 64); err == nil {
			if s.size, err = strconv.ParseInt(f[2], 10, 64); err == nil {
				s.newest, err = strconv.ParseInt(f[3], 10, 64)
			}
		}
		m.sealed = append(m.sealed, s)
		base = s.base
	case len(f) == 2 && f[0] == "open" && m.open == 0:
		m.open, err = strconv.ParseUint(f[1], 10, 64)
		base = m.open
	case len(f) >= 2 && f[0] == "archive":
		m.archive, err = strconv.Unquote(strings.TrimSpace(strings.TrimPrefix(line, "archive ")))
		return 0, err
	default:
		return 0, fmt.Errorf("not known")
	}
	if err == nil && base == 0 {
		err = fmt.Errorf("a base of zero")
	}
	return base, err
}
