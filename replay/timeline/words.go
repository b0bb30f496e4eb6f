package timeline

import "encoding/binary"

// words numbers the texts of a timeline, so that each is kept once. The empty
// text is number 0.
type words struct {
	list  []string
	index map[string]uint32
}

func (w *words) id(text string) uint32 {
	id, ok := w.index[text]
	if !ok {
		if w.index == nil {
			w.index = make(map[string]uint32)
		}
		id = uint32(len(w.list))
		w.list = append(w.list, text)
		w.index[text] = id
	}
	return id
}

// labels numbers what intervals can say: short lists of numbers, packed as
// uvarints with their length in front. A list begins with the word that gives
// the reason. Behind it an owners label has the words of the owners, the
// primary first; a state label has the status, and 1 while draining.
type labels struct {
	bytes []byte
	at    []uint32 // of each in bytes
	index map[string]uint32
	key   []byte
}

func (l *labels) id(list ...uint32) uint32 {
	l.key = binary.AppendUvarint(l.key[:0], uint64(len(list)))
	for _, v := range list {
		l.key = binary.AppendUvarint(l.key, uint64(v))
	}
	if id, ok := l.index[string(l.key)]; ok {
		return id
	}
	if l.index == nil {
		l.index = make(map[string]uint32)
	}
	id := uint32(len(l.at))
	l.at = append(l.at, uint32(len(l.bytes)))
	l.bytes = append(l.bytes, l.key...)
	l.index[string(l.key)] = id
	return id
}

// list returns the numbers of a label.
func (l *labels) list(id uint32) []uint32 {
	b := l.bytes[l.at[id]:]
	n, k := binary.Uvarint(b)
	list := make([]uint32, n)
	for i := range list {
		b = b[k:]
		var v uint64
		v, k = binary.Uvarint(b)
		list[i] = uint32(v)
	}
	return list
}
