package projection

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// These tests are inside the package to get past the checksums, which no
// fuzzer would.

func seedSnapshot(f *testing.F) []byte {
	b, err := os.ReadFile("testdata/snapshot-1.bin")
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// What is read is exactly what would be written.
func FuzzReadSnapshot(f *testing.F) {
	good := seedSnapshot(f)
	f.Add(good)
	f.Add(good[2 : len(good)-2-checksumSize-2-events.DigestSize])
	f.Add(NewState().AppendSnapshot(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ReadSnapshot(b); err == nil && !bytes.Equal(s.AppendSnapshot(nil), b) {
			t.Error("a snapshot that is not the only form of its state")
		}
		s, err := readRecords(bytes.Clone(b))
		if err != nil {
			return
		}
		whole := s.AppendSnapshot(nil)
		if !bytes.Equal(whole[2:2+len(b)], b) {
			t.Error("records that are not the only form of their state")
		}
		again, err := ReadSnapshot(whole)
		if err != nil {
			t.Fatal(err)
		}
		look(t, s)
		if s.Merge(again) {
			t.Error("a state and its copy differ")
		}
	})
}

func FuzzDecodeCheckpoint(f *testing.F) {
	s, err := ReadSnapshot(seedSnapshot(f))
	if err != nil {
		f.Fatal(err)
	}
	b, err := EncodeCheckpoint(s, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{\n\"format\":1,\"index\":1,\"snapshot\":\"\",\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for range 2 {
			if c, err := DecodeCheckpoint(b); err == nil {
				look(t, c.State)
			}
			b = b[:max(0, len(b)-checksumLines)]
			sum := sha256.Sum256(b)
			b = fmt.Append(bytes.Clone(b), checksumPrefix, hex.EncodeToString(sum[:]), checksumSuffix)
		}
	})
}

// FuzzApply folds whatever decodes as an event: nothing may make the fold, the
// view or their forms panic, or let two ways to the same state differ.
func FuzzApply(f *testing.F) {
	s, err := ReadSnapshot(seedSnapshot(f))
	if err != nil {
		f.Fatal(err)
	}
	var all []byte
	for _, e := range s.Registers("") {
		f.Add(binary.AppendUvarint(nil, uint64(len(e.Raw()))), e.Raw())
		all = append(binary.AppendUvarint(all, uint64(len(e.Raw()))), e.Raw()...)
	}
	f.Add(all, []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, back := NewState(), NewState()
		var batch []events.Event
		for in := slices.Concat(a, b); len(in) > 0; {
			n, k := binary.Uvarint(in)
			if k <= 0 || n > uint64(len(in)-k) {
				break
			}
			if e, err := events.Decode(in[k : k+int(n)]); err == nil {
				batch = append(batch, e)
			}
			in = in[k+int(n):]
		}
		for i := range batch {
			s.Check(&batch[i])
			s.addHead(&batch[i])
			s.write(&batch[i])
		}
		for i := len(batch) - 1; i >= 0; i-- {
			back.addHead(&batch[i])
			back.write(&batch[i])
		}
		look(t, s)
		if s.Digest() != back.Digest() {
			t.Error("the order matters")
		}
	})
}

// addHead raises a head without asking for what is in between.
func (s *State) addHead(e *events.Event) {
	s.mergeHead(&logHead{Head: e.Head(), time: e.Time})
}

// look reads all there is to read of a state.
func look(t *testing.T, s *State) {
	c := s.Cluster()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var again Cluster
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if twice, _ := json.Marshal(&again); !bytes.Equal(text, twice) {
		t.Errorf("%s, and read again %s", text, twice)
	}
	for i := range c.Nodes {
		if n, ok := c.Node(c.Nodes[i].ID); !ok || n != &c.Nodes[i] {
			t.Errorf("node %q is not found", c.Nodes[i].ID)
		}
	}
	s.Oddities()
	read, err := ReadSnapshot(s.AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := json.Marshal(read.Cluster()); !bytes.Equal(text, other) {
		t.Errorf("%s, and from its snapshot %s", text, other)
	}
}
