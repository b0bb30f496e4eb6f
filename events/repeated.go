package events

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendList appends a repeated string, empty items included.
func appendList(b []byte, num protowire.Number, list []string) []byte {
	for _, s := range list {
		b = appendText(b, num, s)
	}
	return b
}

// texts appends one item of a repeated string.
func texts(list *[]string, f field) error {
	if len(*list) >= maxItems {
		return fmt.Errorf("more than %d items", maxItems)
	}
	if *list == nil {
		*list = make([]string, 0, listGuess)
	}
	var s string
	err := text(&s, f)
	*list = append(*list, s)
	return err
}

// appendMap appends a map<string, string>, sorted by key.
func appendMap(b []byte, num protowire.Number, m map[string]string) []byte {
	var entry []byte
	for _, k := range slices.Sorted(maps.Keys(m)) {
		// The entries of a protobuf map always carry both fields.
		entry = appendText(entry[:0], 1, k)
		entry = appendText(entry, 2, m[k])
		b = appendText(b, num, entry)
	}
	return b
}

// mapEntry stores one entry of a map. A key that comes again replaces the one
// before, as everywhere in protobuf.
func mapEntry(m *map[string]string, f field) error {
	if err := wire(f, wireBytes); err != nil {
		return err
	}
	if len(*m) >= maxItems {
		return fmt.Errorf("more than %d entries", maxItems)
	}
	var k, v string
	for at := 0; at < len(f.bytes); {
		sub, n := nextField(f.bytes[at:])
		if n < 0 {
			return errors.New("map entry is not protobuf")
		}
		at += n
		var err error
		switch sub.num {
		case 1:
			err = text(&k, sub)
		case 2:
			err = text(&v, sub)
		}
		if err != nil {
			return err
		}
	}
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[k] = v
	return nil
}
