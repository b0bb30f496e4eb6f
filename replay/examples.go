package replay

import "slices"

// examples keeps the first or the newest of the violations of a rule, along the
// axis, whatever the order in which they are found: nearly always that of the axis.
type examples struct {
	limit  int
	newest bool
	list   []Violation // sorted; the newest only after cut
}

func keyOf(v *Violation) Key { return Key{v.Time, v.Event.Log, v.Event.Seq} }

func compareViolations(a, b Violation) int { return keyOf(&a).Compare(keyOf(&b)) }

// wants reports whether a violation may be one of those that are kept.
func (x *examples) wants(v *Violation) bool {
	n := len(x.list)
	return x.newest || n < x.limit || compareViolations(*v, x.list[n-1]) < 0
}

// add takes a violation that is wanted.
func (x *examples) add(v Violation) {
	x.list = append(x.list, v)
	if !x.newest || len(x.list)/2 >= x.limit { // of the newest now and then is often enough
		x.cut()
	}
}

func (x *examples) cut() {
	slices.SortStableFunc(x.list, compareViolations)
	over := max(len(x.list)-x.limit, 0)
	if x.newest {
		x.list = slices.Delete(x.list, 0, over)
	} else {
		x.list = x.list[:len(x.list)-over]
	}
}

// all returns them, oldest or newest first.
func (x *examples) all(reverse bool) []Violation {
	if x.cut(); reverse {
		slices.Reverse(x.list)
	}
	return x.list
}
