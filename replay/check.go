package replay

import (
	"context"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

// Rules are the limits of Check.
type Rules struct {
	Unowned time.Duration // how long a partition may have no owner; 0 means 10 s
	Short   time.Duration // how long it may have fewer copies than it could; 0 means 5 min
	Moves   int           // how often a primary or a status may change in a window; 0 means 6
	Window  time.Duration // that window; 0 means 10 min
}

func (r Rules) withDefaults() Rules {
	if r.Unowned == 0 {
		r.Unowned = 10 * time.Second
	}
	if r.Short == 0 {
		r.Short = 5 * time.Minute
	}
	if r.Moves <= 0 {
		r.Moves = 6
	}
	if r.Window == 0 {
		r.Window = 10 * time.Minute
	}
	return r
}

// Checkup is the verdict on a history: which invariants held at all times.
type Checkup struct {
	Log    string          `json:"log"`
	Result Result          `json:"result"`
	Events uint64          `json:"events"`
	Rules  []RuleViolation `json:"rules"`
	Damage []Damage        `json:"damage,omitempty"`
	Names  *Names          `json:"-"`
}

// RuleViolation is one rule and where it was broken.
type RuleViolation struct {
	Rule     string      `json:"rule"`
	Result   Result      `json:"result"`
	What     string      `json:"what"`               // what must hold
	Count    int         `json:"count"`              // how often it did not
	Examples []Violation `json:"examples,omitempty"` // the first ones, or the newest
	Worst    *Violation  `json:"worst,omitempty"`    // of rules about time
}

// Violation is one place where a rule did not hold.
type Violation struct {
	Subject string           `json:"subject"`
	Index   uint64           `json:"index"`
	Time    events.Timestamp `json:"time"`
	Event   events.ID        `json:"event"`
	Millis  int64            `json:"ms,omitempty"`
	Text    string           `json:"text"`
}

// maxViolations is how many examples of one rule are kept.
const maxViolations = 5

// The names of the rules, in the order of their severity.
const (
	RuleOneOwner   = "one-owner"  // two different assignments with one epoch
	RuleEpochs     = "epochs"     // an assignment below an epoch that was assigned
	RuleLiveOwner  = "live-owner" // an assignment to a node that has failed, left or was removed
	RuleOwned      = "owned"      // no owner for too long
	RuleReplicated = "replicated" // fewer copies than possible for too long
	RuleCaused     = "caused"     // a move without a cause
	RuleFlapping   = "flapping"   // too many owners in a short time
	RuleMembership = "membership" // a node that fails and recovers again and again
)

var ruleTexts = []struct{ rule, text string }{
	{RuleOneOwner, "no epoch of a partition is given to two different lists of owners"},
	{RuleEpochs, "no assignment is written below an epoch that was assigned before"},
	{RuleLiveOwner, "a primary is a live node when it is assigned"},
	{RuleOwned, "no partition is without an owner for longer than %s"},
	{RuleReplicated, "no partition has fewer copies than it could have for longer than %s"},
	{RuleCaused, "every change of owners names the event that made it necessary"},
	{RuleFlapping, "no partition changes its primary more than %s in %s"},
	{RuleMembership, "no node changes its status more than %s in %s"},
}

// Check holds a whole history against invariants, along the axis true: not
// only whether they hold now, but whether they always did.
//
//	one-owner   an assignment and the one before it that bears the same epoch of the
//	            same partition name the same nodes in the same order. When it is also
//	            below the epoch of the partition it breaks epochs as well: it does both
//	epochs      an assignment bears no smaller epoch than any before it
//	live-owner  the first node of an assignment is alive, suspected or leaving
//	owned       so is the first node of what owns the partition
//	replicated  as many of its nodes are so as the cluster is configured for, or
//	            there is no other node that could take a copy: alive, not being
//	            drained and not degraded
//	caused      a node that assigns on its own account, not because an operator said
//	            so, names the cause, unless the owners stay the same
//	flapping    a primary that is another one, or nobody, has changed; the first one,
//	            and one after nobody, has not
//	membership  a status that is another one has changed; the first one has not
//
// A partition that the configuration no longer has lacks nothing. What was so in
// front of the range is known, and counts from the first event of the range on; where
// an epoch was given to others before is looked for as far back as the log goes. What
// is only known from a state that was received in place of events counts as having
// come to be so with the first event that shows it.
//
// The filter and the condition of q choose which violations count, by the event at
// which they were found and by their subject: a partition is one of Partitions, a
// node is one of Nodes, or the event is about it. What lasts until the end of the
// range was found at no event: only Partitions can choose it, and where anything
// else is asked for it is left out. Limit gives the newest examples of each rule
// and not the first, Reverse the newest first. What is folded and counted is all
// there is in the range.
func (s *Source) Check(ctx context.Context, q Query, rules Rules) (*Checkup, error) {
	return s.check(ctx, q, rules, maxDoubts)
}

func (s *Source) check(ctx context.Context, q Query, rules Rules, most int) (*Checkup, error) {
	q.Axis = True
	w, err := s.window(ctx, &q)
	if err != nil {
		return nil, err
	}
	c := newChecker(w, rules.withDefaults())
	c.doubts.most = most
	if err := c.follow(ctx); err != nil {
		return nil, err
	}
	c.end()
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	return c.verdict(), nil
}
