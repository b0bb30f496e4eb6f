package log

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// Identity says whose log a directory holds.
type Identity struct {
	NodeID  string       `json:"node"`
	Cluster string       `json:"cluster"`
	Log     events.LogID `json:"log"`     // what this node writes its own events under
	Created time.Time    `json:"created"` // of Log
}

const identityFormat = 1

type identityFile struct {
	Format int `json:"format"`
	Identity
}

// ReadIdentity reads the identity of a data directory without opening it. It
// wraps fs.ErrNotExist when there is none.
func ReadIdentity(dir string) (Identity, error) {
	var f identityFile
	path := filepath.Join(dir, identityName)
	if err := readSealed(path, &f); err != nil {
		return Identity{}, err
	}
	if f.Format != identityFormat || f.Log.IsZero() {
		return Identity{}, &CorruptError{File: path, Reason: fmt.Sprintf("format %d with log %s", f.Format, f.Log)}
	}
	return f.Identity, nil
}

// checkIdentity compares what a directory says with what is wanted.
func (id Identity) check(dir string, o *Options) error {
	if id.NodeID != o.NodeID {
		return &IdentityError{Dir: dir, Field: "node", Want: o.NodeID, Have: id.NodeID}
	}
	if id.Cluster != o.Cluster {
		return &IdentityError{Dir: dir, Field: "cluster", Want: o.Cluster, Have: id.Cluster}
	}
	return nil
}

func newIdentity(nodeID, cluster string) Identity {
	now := time.Now().UTC().Truncate(time.Millisecond)
	var random [10]byte
	rand.Read(random[:]) // never fails
	return Identity{NodeID: nodeID, Cluster: cluster, Log: events.NewLogID(now.UnixMilli(), random), Created: now}
}

// write makes the identity durable.
func (id Identity) write(d disk, dir string) error {
	b, err := seal(identityFile{identityFormat, id})
	if err != nil {
		return err
	}
	if err := writeFile(d, filepath.Join(dir, identityName), b); err != nil {
		return err
	}
	return d.syncDir(dir)
}

// The small JSON files carry their own checksum, as the last field:
//
//	{..., "crc32c": "0123abcd"}
//
// It is taken over everything before that field.
const (
	sealKey  = `,"crc32c":"`
	sealSize = len(sealKey) + 8 + len("\"}\n")
)

func seal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	b = b[:len(b)-1]
	return fmt.Appendf(b, "%s%08x\"}\n", sealKey, crc32.Checksum(b, castagnoli)), nil
}

// readSealed reads such a file into v. Every error but that of the reading is
// a *CorruptError.
func readSealed(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	n := len(b) - sealSize
	if n < 1 {
		return &CorruptError{File: path, Reason: "cut off"}
	}
	want := fmt.Appendf(nil, "%s%08x\"}\n", sealKey, crc32.Checksum(b[:n], castagnoli))
	if !bytes.Equal(b[n:], want) {
		return &CorruptError{File: path, Reason: "checksum mismatch"}
	}
	if err := json.Unmarshal(append(b[:n:n], '}'), v); err != nil {
		return &CorruptError{File: path, Reason: err.Error()}
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
