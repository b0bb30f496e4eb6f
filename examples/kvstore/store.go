package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/skshohagmiah/clusterkit"
)

// entry is a value with the version that decides which of two writes stands:
// the epoch of the ownership under which it was written, then a counter.
type entry struct {
	Value   []byte `json:"value,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
	Epoch   uint64 `json:"epoch"`
	Counter uint64 `json:"counter"`
}

func (e entry) newer(o entry) bool {
	if e.Epoch != o.Epoch {
		return e.Epoch > o.Epoch
	}
	return e.Counter > o.Counter
}

// store holds the data of the partitions that this node holds.
type store struct {
	mu         sync.Mutex // guards partitions
	partitions map[int]*partition
}

type partition struct {
	complete bool             // all that others had was fetched
	fence    clusterkit.Token // the highest that came with a write: lower ones are refused
	entries  map[string]entry
}

func newStore() *store { return &store{partitions: make(map[int]*partition)} }

func (s *store) getLocked(p int) *partition {
	q := s.partitions[p]
	if q == nil {
		q = &partition{entries: make(map[string]entry)}
		s.partitions[p] = q
	}
	return q
}

// version gives a value the next version in its epoch.
func (s *store) version(p int, key string, e entry) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.getLocked(p).entries[key]; ok && old.Epoch == e.Epoch {
		e.Counter = old.Counter
	}
	e.Counter++
	return e
}

// merge takes entries that were written, or are copied, under an ownership; the
// newer version of each stands. It refuses a token that is lower than the
// highest it has seen, in the same step: who brings it was the owner once and
// does not know yet that it was replaced.
func (s *store) merge(p int, token clusterkit.Token, entries map[string]entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.getLocked(p)
	if token.Compare(q.fence) < 0 {
		return false
	}
	q.fence = token
	for key, e := range entries {
		if old, ok := q.entries[key]; !ok || e.newer(old) {
			q.entries[key] = e
		}
	}
	return true
}

func (s *store) read(p int, key string) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.partitions[p]; q != nil {
		e, ok := q.entries[key]
		return e, ok && !e.Deleted
	}
	return entry{}, false
}

// copyOf returns all entries of a partition, deleted ones included.
func (s *store) copyOf(p int) map[string]entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.partitions[p]; q != nil {
		return maps.Clone(q.entries)
	}
	return nil
}

// isComplete reports whether the partition was fetched from its other copies.
func (s *store) isComplete(p int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.partitions[p]
	return q != nil && q.complete
}

func (s *store) setComplete(p int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.getLocked(p).complete = true
}

// held returns the partitions that there is data of, sorted.
func (s *store) held() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.partitions))
}

func (s *store) drop(p int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.partitions, p)
}
