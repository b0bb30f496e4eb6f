package projection

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// CheckpointFormat is the number of the format that EncodeCheckpoint writes.
const CheckpointFormat = 1

// Checkpoint is what a checkpoint file says.
type Checkpoint struct {
	Format int    // of the file
	Index  uint64 // the last record of the local log that State contains
	State  *State
}

// checkpoint is the JSON of a file without its last two lines.
type checkpoint struct {
	Format int    `json:"format"`
	Index  uint64 `json:"index"`
	*Cluster
	Snapshot []byte `json:"snapshot"`
}

// The last two lines of a checkpoint, around the checksum.
const (
	checksumPrefix = "  \"checksum\": \""
	checksumSuffix = "\"\n}\n"
	checksumLines  = len(checksumPrefix) + 2*sha256.Size + len(checksumSuffix)
)

// EncodeCheckpoint returns the file cluster-state.json: indented JSON with the
// fields of the [Cluster] for people, and the snapshot from which the state is
// read again. index is the last record of the local log that s contains.
//
//	{
//	  "format": 1,
//	  "index": 4711,
//	  "id": ..., "name": ..., "nodes": [...], ...       the Cluster
//	  "snapshot": "base64",
//	  "checksum": "..."
//	}
//
// The checksum is the SHA-256 of all bytes before the line it is in, which is
// what "head -n -2 cluster-state.json | sha256sum" prints. Equal states and
// indexes give equal bytes.
func EncodeCheckpoint(s *State, index uint64) ([]byte, error) { return TakeCheckpoint(s, index)() }

// TakeCheckpoint takes from s what EncodeCheckpoint needs and returns the rest
// of the work, most of it, which may be done while s changes.
func TakeCheckpoint(s *State, index uint64) (encode func() ([]byte, error)) {
	c := checkpoint{CheckpointFormat, index, s.Cluster(), s.AppendSnapshot(nil)}
	return c.encode
}

func (c checkpoint) encode() ([]byte, error) {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("projection: encode checkpoint: %w", err)
	}
	b = append(bytes.TrimSuffix(b, []byte("\n}")), ",\n"...)
	sum := sha256.Sum256(b)
	b = append(b, checksumPrefix...)
	b = hex.AppendEncode(b, sum[:])
	return append(b, checksumSuffix...), nil
}

// DecodeCheckpoint reads what EncodeCheckpoint wrote. A file in which anything
// was changed is refused. What it says to people is not looked at; the state
// comes from the snapshot. It keeps nothing of b.
func DecodeCheckpoint(b []byte) (*Checkpoint, error) {
	c, err := decodeCheckpoint(b)
	if err != nil {
		return nil, fmt.Errorf("projection: checkpoint: %w", err)
	}
	return c, nil
}

func decodeCheckpoint(b []byte) (*Checkpoint, error) {
	end := len(b) - checksumLines
	if end < 0 {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrSnapshot, len(b))
	}
	sum := sha256.Sum256(b[:end])
	if string(b[end:]) != checksumPrefix+hex.EncodeToString(sum[:])+checksumSuffix {
		return nil, fmt.Errorf("%w: the checksum does not match", ErrSnapshot)
	}
	var f struct {
		Format   int    `json:"format"`
		Index    uint64 `json:"index"`
		Snapshot []byte `json:"snapshot"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if f.Format != CheckpointFormat {
		return nil, fmt.Errorf("%w: format %d, this version reads %d", ErrSnapshot, f.Format, CheckpointFormat)
	}
	s, err := ReadSnapshot(f.Snapshot)
	if err != nil {
		return nil, err
	}
	return &Checkpoint{f.Format, f.Index, s}, nil
}
