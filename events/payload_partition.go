package events

// Assignment says who owns a partition; the epoch is the version of the
// register.
type Assignment struct {
	Partition uint32   `json:"partition"`
	Replicas  []string `json:"replicas"`           // the primary first
	Previous  []string `json:"previous,omitempty"` // the replicas before
	Trigger   string   `json:"trigger,omitempty"`  // bootstrap, failure, ... : a closed set of the coordinator
	Reason    string   `json:"reason,omitempty"`   // the same in words
}

func (p *Assignment) appendTo(b []byte) []byte {
	b = appendUint(b, 1, uint64(p.Partition))
	b = appendList(b, 2, p.Replicas)
	b = appendList(b, 3, p.Previous)
	b = appendString(b, 4, p.Trigger)
	return appendString(b, 5, p.Reason)
}

func (*Assignment) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.number(1, "partition", always, maxSmall)
	w.list(2, "replicas", always)
	w.list(3, "previous", nonzero)
	w.text(4, "trigger", nonzero)
	w.text(5, "reason", nonzero)
	return w.close()
}

func (*Assignment) fresh() Payload { return new(Assignment) }

func (p *Assignment) set(f field) error {
	switch f.num {
	case 1:
		return small(&p.Partition, f)
	case 2:
		return texts(&p.Replicas, f)
	case 3:
		return texts(&p.Previous, f)
	case 4:
		return text(&p.Trigger, f)
	case 5:
		return text(&p.Reason, f)
	}
	return nil
}

// checkAssignment reports whether b is the body of an assignment without
// anything out of the ordinary. Of what it refuses Payload decides.
func checkAssignment(b []byte) bool {
	r := usual{b: b}
	number := r.number(1 << 3)
	items := 0
	for field := byte(2); field <= 5; field++ {
		for tag := field<<3 | wireBytes; r.at < len(b) && b[r.at] == tag; items++ {
			s := r.bytes(tag)
			if len(s) > maxText || !isPlain(s) {
				return false
			}
		}
	}
	return !r.bad && r.at == len(b) && items <= maxItems && number <= maxSmall
}

// Rebalance frames a set of assignments that were decided together.
type Rebalance struct {
	Moves   uint32 `json:"moves"` // copies that change their node
	Trigger string `json:"trigger,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (p *Rebalance) appendTo(b []byte) []byte {
	b = appendUint(b, 1, uint64(p.Moves))
	b = appendString(b, 2, p.Trigger)
	return appendString(b, 3, p.Reason)
}

func (*Rebalance) appendJSON(b, body []byte) ([]byte, bool) {
	w := openBody(b, body)
	w.number(1, "moves", always, maxSmall)
	w.text(2, "trigger", nonzero)
	w.text(3, "reason", nonzero)
	return w.close()
}

func (*Rebalance) fresh() Payload { return new(Rebalance) }

func (p *Rebalance) set(f field) error {
	switch f.num {
	case 1:
		return small(&p.Moves, f)
	case 2:
		return text(&p.Trigger, f)
	case 3:
		return text(&p.Reason, f)
	}
	return nil
}
