package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/projection"
)

// report puts together what the workers found.
func (v *verifier) report() (*Verification, error) {
	r := &Verification{Log: v.source.Name, Segments: len(v.segments)}
	all := &verified{findings: make(map[string][]Finding)}
	for i := range v.parts {
		p := &v.parts[i]
		if p.err != nil {
			return nil, p.err
		}
		r.Records, r.Events, r.Bytes = r.Records+p.records, r.Events+p.events, r.Bytes+p.bytes
		all.snapshots, all.received, all.unknown = all.snapshots+p.snapshots, all.received+p.received, all.unknown+p.unknown
		if p.ahead > all.ahead {
			all.ahead, all.aheadOf = p.ahead, p.aheadOf
		}
		all.skipped = append(all.skipped, p.skipped...)
		for name, found := range p.findings {
			all.findings[name] = append(all.findings[name], found...)
		}
		r.Damage = mergeDamage(r.Damage, p.damage)
	}
	last := v.parts[len(v.parts)-1].last
	v.told(r, all, last)
	r.Checks = append(r.Checks, v.file, checkViews(last, len(r.Damage) > 0))
	r.conclude()
	return r, nil
}

// mergeDamage adds damage that is not listed yet: two workers may meet the
// same at a border.
func mergeDamage(all, more []Damage) []Damage {
	for _, d := range more {
		if !slices.ContainsFunc(all, func(o Damage) bool { return o.File == d.File && o.Offset == d.Offset }) {
			all = append(all, d)
		}
	}
	return all
}

// told adds the checks that were made event by event.
func (v *verifier) told(r *Verification, all *verified, last *projection.State) {
	add := func(name, what string) {
		c := Check{Name: name, Result: Pass, What: what}
		found := all.findings[name]
		if len(found) > 0 {
			c.Result, c.More = Fail, max(len(found)-maxFindings, 0)
			c.Findings = found[:len(found)-c.More]
		}
		if r.Events == 0 && name != checkRecords && name != checkSnapshots {
			c.Result, c.What = Skip, "there is no event"
		}
		r.Checks = append(r.Checks, c)
	}
	for i := range r.Damage {
		d := &r.Damage[i]
		all.findings[checkRecords] = append(all.findings[checkRecords],
			Finding{Index: d.From, File: d.File, Offset: d.Offset, Text: d.Error()})
	}
	add(checkRecords, fmt.Sprintf("%s in %s, %s", Count(int(r.Records), "record"), Count(r.Segments, "segment"), Size(r.Bytes)))
	if r.Records == 0 && len(r.Damage) == 0 {
		r.Checks[0].Result = Skip
	}
	events := Count(int(r.Events), "event")
	if all.unknown > 0 {
		events += fmt.Sprintf(", %d of them of types that belong to an application or a later version", all.unknown)
	}
	add(checkEvents, events)
	sequences := v.names.Vector(last.Vector())
	if all.received > 0 {
		sequences += "; " + Count(all.received, "event") + " held as a state only, received from a peer"
	}
	add(checkSequences, sequences)
	add(checkChains, Count(len(last.Heads()), "origin"))
	add(checkNames, events)
	clocks := "every origin's times go forward"
	if all.ahead > 1000 {
		clocks += fmt.Sprintf("; %s was written %s ahead of the clock here", v.names.Event(all.aheadOf), Span(all.ahead))
	}
	add(checkClocks, clocks)
	what := fmt.Sprintf("%s equal to the fold of what comes before", Count(all.snapshots, "snapshot"))
	if n := len(all.skipped); n > 0 {
		what += fmt.Sprintf("; %s could not be compared because of damage before", Count(n, "snapshot"))
	}
	add(checkSnapshots, what)
	if c := &r.Checks[len(r.Checks)-1]; c.Result == Pass && (all.snapshots == 0 || len(all.skipped) > 0 && all.snapshots <= 1) {
		c.Result = Skip
	}
}

// checkpoint holds the file cluster-state.json against the fold at its index.
func (v *verifier) checkpoint(ctx context.Context) Check {
	c := Check{Name: checkFile, Result: Skip, What: "there is none"}
	file, err := v.source.Checkpoint()
	if err != nil {
		c.Result, c.What, c.Findings = Fail, "cluster-state.json cannot be read", []Finding{{File: v.source.Name, Text: err.Error()}}
		return c
	}
	if file == nil {
		return c
	}
	c.What = fmt.Sprintf("cluster-state.json at @%d", file.Index)
	m, err := v.source.StateAt(ctx, At(file.Index), Known)
	switch {
	case errors.Is(err, ErrBeyond): // what a checkpoint stands for was durable before it was written
		c.Result, c.Findings = Fail, []Finding{{Index: file.Index, Text: "the end of the log is lost, or the file is that of another one: " + err.Error()}}
	case err != nil:
		c.What += ": " + err.Error()
	case len(m.Damage) > 0:
		c.What += ": the log is damaged before it"
	case m.Digest == file.State.Digest():
		c.Result, c.What = Pass, c.What+" equals the fold"
	default:
		c.Result = Fail
		c.Findings = []Finding{{Index: file.Index, Text: "it is not the fold: " + firstDifference(m.State, file.State)}}
	}
	return c
}

// checkViews holds the view that was built step by step against one that is
// built at once from the same state.
func checkViews(last *projection.State, damaged bool) Check {
	c := Check{Name: checkView, Result: Pass, What: "the view of the end equals the one rebuilt from its snapshot"}
	if len(last.Heads()) == 0 {
		c.Result, c.What = Skip, "there is no state"
		return c
	}
	again, err := projection.ReadSnapshot(last.AppendSnapshot(nil))
	if err == nil {
		a, errA := json.Marshal(last.Cluster())
		b, errB := json.Marshal(again.Cluster())
		if err = errors.Join(errA, errB); err == nil && !bytes.Equal(a, b) {
			err = errors.New(unlikeViews(last.Cluster(), again.Cluster()))
		}
	}
	if err != nil {
		c.Result, c.Findings = Fail, []Finding{{Text: err.Error()}}
	}
	return c
}

// unlikeViews says where two views begin to differ.
func unlikeViews(view, rebuilt *projection.Cluster) string {
	where, d := "", Diff{Cluster: compareFields(clusterFields(view), clusterFields(rebuilt))}
	d.compareNodes(view, rebuilt)
	fields := d.Cluster
	if len(fields) == 0 && len(d.Nodes) > 0 {
		where, fields = events.NodeRegister(d.Nodes[0].ID)+": ", d.Nodes[0].Fields
	}
	for i := 0; len(fields) == 0 && i < max(len(view.PartitionMap.Partitions), len(rebuilt.PartitionMap.Partitions)); i++ {
		a, b := partitionOr(view, i), partitionOr(rebuilt, i)
		where = events.PartitionRegister(i) + ": "
		fields = compareFields([]quality{{"owners", Owners(holders(a))}, {"epoch", Epoch(a.Epoch)}},
			[]quality{{"owners", Owners(holders(b))}, {"epoch", Epoch(b.Epoch)}})
	}
	if len(fields) == 0 {
		return "the views differ"
	}
	return fmt.Sprintf("%s%s is %q in the view and %q in the rebuilt one", where, fields[0].Field, fields[0].From, fields[0].To)
}

// conclude comes to the result of the whole.
func (r *Verification) conclude() {
	r.Result = Skip
	for i := range r.Checks {
		switch r.Checks[i].Result {
		case Fail:
			r.Result = Fail
			return
		case Pass:
			r.Result = Pass
		}
	}
	if r.Records == 0 {
		r.Result = Skip // a log without records proves nothing
	}
}
