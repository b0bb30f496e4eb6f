package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bundling says what was put into a bundle.
type Bundling struct {
	Logs     []BundleLog `json:"logs"`
	Events   uint64      `json:"events"`
	Redacted string      `json:"redacted,omitempty"` // fingerprint of the key
	Damage   []Damage    `json:"damage,omitempty"`   // what could not be read; the bundle says so too
}

// WriteBundle writes the logs of several nodes into one file, for a report or a
// test. Every command reads it. What cannot be read of a log is noted in the
// bundle, which then is as damaged as the log.
//
// With a key that is not empty the bundle is redacted: see [Redaction]. Without
// one the bytes of every event are as their origin made them, and the
// checkpoints are there too.
func WriteBundle(ctx context.Context, w io.Writer, key []byte, sources ...*Source) (*Bundling, error) {
	out := &Bundling{}
	var redaction *Redaction
	if len(key) > 0 {
		var err error
		if redaction, err = NewRedaction(ctx, key, sources...); err != nil {
			return nil, err
		}
		out.Redacted = redaction.Fingerprint()
	}
	file := bufio.NewWriterSize(w, 256<<10)
	b := newBundleWriter(file, true, BundleInfo{Redacted: out.Redacted})
	names := make(map[string]bool)
	for i, s := range sources {
		l := BundleLog{Name: s.node, Node: s.node, Cluster: s.cluster, Redacted: s.redacted, Extent: s.extent}
		whole := s.feed
		if part, ok := whole.(*part); ok {
			whole = part.feed
		}
		if log, ok := whole.(*bundled); ok {
			l.Name = log.Name
		}
		if redaction != nil {
			l = redaction.log(l)
		}
		if l.Name == "" {
			l.Name = "log-" + strconv.Itoa(i+1)
		}
		for n := 2; names[l.Name]; n++ {
			l.Name = fmt.Sprintf("%s-%d", l.Name, n)
		}
		names[l.Name] = true
		out.Logs = append(out.Logs, l)
		b.begin(l)
		if err := out.put(ctx, s, b, redaction); err != nil {
			return nil, err
		}
	}
	return out, errors.Join(b.close(), file.Flush())
}

// put writes one log.
func (out *Bundling) put(ctx context.Context, s *Source, b *bundleWriter, redaction *Redaction) error {
	if redaction == nil && s.checkpoint != nil {
		if c, err := s.checkpoint(); err == nil && len(c) > 0 {
			b.checkpoint(c)
		}
	}
	if redaction != nil {
		redaction.begin()
	}
	first := true
	for e, err := range s.feed.entries(ctx, 0) {
		damage := isDamage(err)
		switch {
		case damage != nil:
		case err != nil:
			return err
		default:
			if first && !(e.Base && !e.IsEvent()) {
				if err := beginWithBase(ctx, s, b, redaction); err != nil {
					return err
				}
			}
			first = false
			if e.IsEvent() {
				out.Events++
			}
			if redaction != nil {
				e, err = redaction.entry(e)
			}
			if !errors.As(err, &damage) {
				if err != nil {
					return err
				}
				b.add(e)
			}
		}
		if damage != nil {
			out.Damage = append(out.Damage, *damage)
			b.damage(*damage)
		}
		if b.err != nil {
			return b.err
		}
	}
	if first {
		return beginWithBase(ctx, s, b, redaction)
	}
	return nil
}

// beginWithBase writes the state with which a log begins that has no record of
// it, a checkpoint for example.
func beginWithBase(ctx context.Context, s *Source, b *bundleWriter, redaction *Redaction) error {
	e := s.opening(ctx)
	if e == nil {
		return nil
	}
	if redaction != nil {
		var err error
		if e, err = redaction.entry(e); err != nil {
			return err
		}
	}
	b.add(e)
	return nil
}

// opening returns the state with which a log begins as if it were a record of it, nil
// when it begins with nothing. Damage is told by the entries.
func (s *Source) opening(ctx context.Context) *Entry {
	state, err := s.feed.base(ctx, 0)
	if err != nil || len(state.Heads()) == 0 {
		return nil
	}
	return &Entry{Index: max(s.feed.segments()[0].first, 2) - 1, Base: true, Snapshot: state.AppendSnapshot(nil)}
}
