package log

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/skshohagmiah/clusterkit/events"
)

// Salvage says what Repair did. It is kept as quarantine/salvage.json.
type Salvage struct {
	Records uint64 `json:"records"` // that could be read
	Filled  uint64 `json:"filled"`  // events that were taken from peers

	// Holes are where the log could not be read, and Passed what else was
	// damaged and is not needed, with the reason.
	Holes  []Hole   `json:"holes"`
	Passed []string `json:"passed,omitempty"`

	// Lost are the events that were in the holes and that nobody has. The state
	// covers those before the last snapshot that could be read.
	Lost []Span `json:"lost"`

	// Uncertain is set when there is a hole behind the last snapshot that could
	// be read. What was in it and has no successor in its own log is named by
	// nothing, so it is not in Lost.
	Uncertain bool `json:"uncertain"`

	// NoBase is set when the first snapshot was lost and events had been removed
	// before it: up to the second one the states of the past are incomplete.
	NoBase bool `json:"no_base,omitempty"`

	// NewLog is set when the node writes under a new LogID from now on: because
	// the old one cannot be read, or because events of its own are lost or may
	// be, whose sequences it must not use again.
	NewLog bool `json:"new_log"`
}

// Span is a stretch of one origin's log, sequences [From, To).
type Span struct {
	Log  events.LogID `json:"log"`
	From uint64       `json:"from"`
	To   uint64       `json:"to"`
}

// Repair writes to out, which must be empty or not there, a sound log with all
// that can be read of the damaged one in dir, archived segments included. Put
// out in the place of dir when it is done.
//
// Damage is passed over to the next record that verifies. What was lost is
// taken from peers, directories as OpenReader takes them, running or not, if
// the chain of its origin links it to what is there; see events.Event.Links. A
// forgery cannot link to the event behind a hole; where nothing is left behind
// it, what follows the event before it is believed, as an exchange does. The
// records get new indexes behind a hole that was not filled exactly.
//
// The bytes that cannot be read are copied to out/quarantine/, with what
// Repair returns as salvage.json. An event behind a gap that nobody could fill
// stays in the log, for people; the fold passes over it, and the node learns it
// again from others.
//
// dir is only read, twice, and each peer once. In memory are a record, what
// came from peers, and as much of it as the holes can have held. When the
// process ends early, out is not a log and can be thrown away. The error is
// ErrLocked when the node is running, and a *CorruptError when nobody knows
// whose log it is: then identity.json has to be put back from a copy.
func Repair(dir, out string, peers ...string) (*Salvage, error) {
	s, err := repair(dir, out, peers)
	if err != nil {
		return nil, fmt.Errorf("log: repair %s: %w", dir, err)
	}
	return s, nil
}

func repair(dir, out string, peers []string) (*Salvage, error) {
	id, intact, err := salvageIdentity(dir)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(out); len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; give a directory that is, or that is not there", out)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("to write to: %w", err)
	}
	unlock, err := lockOut(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	l := newLoss()
	if err := l.study(dir); err != nil {
		return nil, err
	}
	if len(l.holes) > 0 {
		for _, peer := range peers {
			if err := l.ask(peer); err != nil {
				return nil, fmt.Errorf("peer %s: %w", peer, err)
			}
		}
	}
	l.settle()
	s := &Salvage{Holes: append([]Hole{}, l.holes...), Lost: l.lost(), Uncertain: l.settled < len(l.holes), NewLog: !intact || l.mayLack(id.Log)}
	for _, c := range l.passed {
		s.Passed = append(s.Passed, c.File+": "+c.Reason)
	}
	if intact && s.NewLog {
		id = newIdentity(id.NodeID, id.Cluster)
	}
	w := &rewriter{d: osDisk{}, dir: out, heads: events.Vector{}, salvage: s}
	if err := w.rewrite(dir, l, id); err != nil {
		return nil, err
	}
	_, err = Verify(out)
	return s, err
}

// salvageIdentity reads whose log it is, as far as that can be known. When its
// LogID cannot be trusted there is a new one: two nodes under one would be a
// fork.
func salvageIdentity(dir string) (id Identity, intact bool, err error) {
	id, err = ReadIdentity(dir)
	var corrupt *CorruptError
	if err == nil || !errors.As(err, &corrupt) {
		return id, true, err
	}
	var f identityFile
	b, e := os.ReadFile(filepath.Join(dir, identityName))
	if e != nil || json.Unmarshal(b, &f) != nil || events.CheckNodeID(f.NodeID) != nil || f.Cluster == "" {
		return id, false, err
	}
	return newIdentity(f.NodeID, f.Cluster), false, nil
}

// lockOut keeps the node of a directory from starting, without making a file
// there. A medium that cannot be written has no node.
func lockOut(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockName)
	if ok, err := exists(path); err != nil || !ok {
		return func() {}, err
	}
	lock, err := lockFile(path)
	switch {
	case errors.Is(err, ErrLocked):
		return nil, err
	case err != nil:
		return func() {}, nil
	}
	return func() { lock.Close() }, nil
}

// quarantine keeps the bytes of the holes, and what is known of them.
func (s *Salvage) quarantine(d disk, dir string) error {
	for _, h := range s.Holes {
		for i := range h.Parts {
			p := &h.Parts[i]
			if p.Bytes == 0 {
				continue
			}
			name := p.keptAs()
			if err := copyPart(d, filepath.Join(dir, name), p); err != nil {
				return err
			}
			p.Kept = name
		}
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := createFile(d, filepath.Join(dir, "salvage.json"), append(b, '\n')); err != nil {
		return err
	}
	return d.syncDir(dir)
}

func copyPart(d disk, path string, p *Part) error {
	in, err := os.Open(p.File)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := d.create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(&fileWriter{f: f}, io.NewSectionReader(in, p.Offset, p.Bytes))
	if err == nil {
		err = f.sync()
	}
	if e := f.close(); err == nil {
		err = e
	}
	return err
}
