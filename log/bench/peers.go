package main

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/rosedblabs/wal"
	tidwall "github.com/tidwall/wal"
	bolt "go.etcd.io/bbolt"
	etcdwal "go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"github.com/skshohagmiah/clusterkit/events"
)

// Each peer is used as its documentation shows, with its own defaults, and
// syncs each append.

type tidwallStore struct {
	*tidwall.Log
	last  uint64
	batch tidwall.Batch
}

func openTidwall(_ *bench, dir string) (store, error) {
	l, err := tidwall.Open(dir, &tidwall.Options{NoCopy: true})
	if err != nil {
		return nil, err
	}
	last, err := l.LastIndex()
	return &tidwallStore{Log: l, last: last}, err
}

func (s *tidwallStore) append(batch []events.Event) error {
	if len(batch) == 1 {
		s.last++
		return s.Write(s.last, batch[0].Raw())
	}
	for i := range batch {
		s.last++
		s.batch.Write(s.last, batch[i].Raw())
	}
	return s.WriteBatch(&s.batch)
}

func (s *tidwallStore) scan(do func([]byte) error) error {
	for i := uint64(1); i <= s.last; i++ {
		b, err := s.Read(i)
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
	}
	return nil
}

func (s *tidwallStore) finding() (func(uint64) ([]byte, error), error) { return s.Read, nil }
func (s *tidwallStore) close() error                                   { return s.Close() }

type raftStore struct {
	*raftwal.WAL
	last uint64
	logs []*raft.Log
}

func openRaftWAL(_ *bench, dir string) (store, error) {
	w, err := raftwal.Open(dir, raftwal.WithLogger(hclog.NewNullLogger()))
	if err != nil {
		return nil, err
	}
	last, err := w.LastIndex()
	return &raftStore{WAL: w, last: last}, err
}

func (s *raftStore) append(batch []events.Event) error {
	for i := range batch {
		if i == len(s.logs) {
			s.logs = append(s.logs, &raft.Log{Term: 1})
		}
		s.last++
		s.logs[i].Index, s.logs[i].Data = s.last, batch[i].Raw()
	}
	return s.StoreLogs(s.logs[:len(batch)])
}

func (s *raftStore) scan(do func([]byte) error) error {
	read, _ := s.finding()
	for i := uint64(1); i <= s.last; i++ {
		b, err := read(i)
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
	}
	return nil
}

func (s *raftStore) finding() (func(uint64) ([]byte, error), error) {
	var one raft.Log
	return func(n uint64) ([]byte, error) {
		err := s.GetLog(n, &one)
		return one.Data, err
	}, nil
}

func (s *raftStore) close() error { return s.Close() }

// etcdStore can only be read whole, when it is opened.
type etcdStore struct {
	*etcdwal.WAL
	last    uint64
	entries []*raftpb.Entry
	state   raftpb.HardState
}

func openEtcd(_ *bench, dir string) (store, error) {
	dir = filepath.Join(dir, "etcd")
	s := new(etcdStore)
	if !etcdwal.Exist(dir) {
		var err error
		s.WAL, err = etcdwal.Create(zap.NewNop(), dir, nil)
		return s, err
	}
	w, err := etcdwal.Open(zap.NewNop(), dir, &walpb.Snapshot{})
	if err != nil {
		return nil, err
	}
	_, _, all, err := w.ReadAll()
	s.WAL, s.last = w, uint64(len(all))
	return s, err
}

func (s *etcdStore) append(batch []events.Event) error {
	for i := range batch {
		if i == len(s.entries) {
			s.entries = append(s.entries, &raftpb.Entry{Term: new(uint64), Index: new(uint64)})
			*s.entries[i].Term = 1
		}
		s.last++
		*s.entries[i].Index = s.last
		s.entries[i].Data = batch[i].Raw()
	}
	return s.Save(&s.state, s.entries[:len(batch)])
}

func scanEtcd(dir string, do func([]byte) error) error {
	w, err := etcdwal.OpenForRead(zap.NewNop(), filepath.Join(dir, "etcd"), &walpb.Snapshot{})
	if err != nil {
		return err
	}
	_, _, all, err := w.ReadAll()
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := do(e.Data); err != nil {
			return err
		}
	}
	w.Close() // it always fails for a directory that was opened for reading
	return nil
}

func (s *etcdStore) close() error { return s.Close() }

type roseStore struct{ *wal.WAL }

func openRose(_ *bench, dir string) (store, error) {
	w, err := wal.Open(wal.Options{DirPath: dir, SegmentSize: wal.GB, SegmentFileExt: ".SEG", Sync: true})
	return &roseStore{WAL: w}, err
}

func (s *roseStore) append(batch []events.Event) error {
	if len(batch) == 1 {
		_, err := s.Write(batch[0].Raw())
		return err
	}
	for i := range batch {
		s.PendingWrites(batch[i].Raw())
	}
	if _, err := s.WriteAll(); err != nil {
		return err
	}
	return s.Sync()
}

func (s *roseStore) scan(do func([]byte) error) error {
	r := s.NewReader()
	for {
		b, _, err := r.Next()
		if errors.Is(err, io.EOF) {
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

func (s *roseStore) finding() (func(uint64) ([]byte, error), error) {
	var at []*wal.ChunkPosition // whoever uses rosedb keeps them
	for r := s.NewReader(); ; {
		_, p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return func(n uint64) ([]byte, error) { return s.Read(at[n-1]) }, nil
		}
		if err != nil {
			return nil, err
		}
		at = append(at, p)
	}
}

func (s *roseStore) close() error { return s.Close() }

type boltStore struct {
	*bolt.DB
	last uint64
}

var bucket = []byte("events")

func openBolt(_ *bench, dir string) (store, error) {
	db, err := bolt.Open(filepath.Join(dir, "bolt"), 0o640, nil)
	if err != nil {
		return nil, err
	}
	s := &boltStore{DB: db}
	return s, db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err == nil {
			s.last = b.Sequence()
		}
		return err
	})
}

func (s *boltStore) append(batch []events.Event) error {
	return s.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		b.FillPercent = 1 // keys only grow
		for i := range batch {
			s.last++
			if err := b.Put(binary.BigEndian.AppendUint64(nil, s.last), batch[i].Raw()); err != nil {
				return err
			}
		}
		return b.SetSequence(s.last)
	})
}

func (s *boltStore) scan(do func([]byte) error) error {
	return s.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if err := do(v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *boltStore) finding() (func(uint64) ([]byte, error), error) {
	var key [8]byte
	var found []byte
	find := func(tx *bolt.Tx) error {
		found = append(found[:0], tx.Bucket(bucket).Get(key[:])...)
		return nil
	}
	return func(n uint64) ([]byte, error) {
		binary.BigEndian.PutUint64(key[:], n)
		err := s.View(find)
		return found, err
	}, nil
}

func (s *boltStore) close() error { return s.Close() }

// mkdir makes a directory of its own for somebody.
func mkdir(parts ...string) (string, error) {
	dir := filepath.Join(parts...)
	return dir, os.MkdirAll(dir, 0o750)
}
