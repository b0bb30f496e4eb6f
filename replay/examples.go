package replay

import "slices"

// examples keeps the first or the newest of the violations of a rule, along the
// axis, whatever the order in which they are found.
type examples struct {
	limit  int
	newest bool
	list   []Violation
}

func (x *examples) add(v Violation) {
	if x.list = append(x.list, v); len(x.list)/2 >= x.limit { // now and then is often enough
		x.cut()
	}
}

func (x *examples) cut() {
	key := func(v *Violation) Key { return Key{v.Time, v.Event.Log, v.Event.Seq} }
	slices.SortStableFunc(x.list, func(a, b Violation) int { return key(&a).Compare(key(&b)) })
	over := max(len(x.list)-x.limit, 0)
	if x.newest {
		x.list = append(x.list[:0], x.list[over:]...)
	} else {
		x.list = x.list[:len(x.list)-over]
	}
}

func (x *examples) all(reverse bool) []Violation {
	if x.cut(); reverse {
		slices.Reverse(x.list)
	}
	return x.list
}
