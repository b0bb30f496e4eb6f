package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxDepth bounds how deep JSON may nest: a message, its events, their bodies,
// the lists in them.
const maxDepth = 8

// readJSON reads one JSON object, all of b. Names must be ours to the letter
// and come once; encoding/json alone would accept "FROM" for "from" and the
// last of two.
func readJSON(b []byte, v any) error {
	if !json.Valid(b) {
		var nothing json.RawMessage
		return json.Unmarshal(b, &nothing) // says what is wrong, and where
	}
	s := jsonScan{b: b}
	if s.space(); s.b[s.at] != '{' {
		return errors.New("want an object")
	}
	if err := s.value(0); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// jsonScan walks through valid JSON and checks what encoding/json does not.
type jsonScan struct {
	b  []byte
	at int
}

// value passes one value, and what is within it.
func (s *jsonScan) value(depth int) error {
	s.space()
	open := s.b[s.at]
	switch {
	case open == '"':
		s.text()
		return nil
	case open != '{' && open != '[':
		for s.at < len(s.b) && bytes.IndexByte([]byte(",]} \t\r\n"), s.b[s.at]) < 0 {
			s.at++
		}
		return nil
	case depth == maxDepth:
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	var seen map[string]struct{}
	for s.at++; ; s.at++ { // behind the bracket or a comma
		s.space()
		if c := s.b[s.at]; c == '}' || c == ']' { // it is empty
			s.at++
			return nil
		}
		if open == '{' {
			if seen == nil {
				seen = make(map[string]struct{})
			}
			if err := s.name(depth, seen); err != nil {
				return err
			}
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		if s.b[s.at] != ',' {
			s.at++
			return nil
		}
	}
}

// name passes the name of a field and its colon.
func (s *jsonScan) name(depth int, seen map[string]struct{}) error {
	quoted := s.text()
	name := string(quoted[1 : len(quoted)-1])
	if bytes.IndexByte(quoted, '\\') >= 0 {
		if err := json.Unmarshal(quoted, &name); err != nil {
			return err
		}
	}
	if depth == 0 && !plain(name) {
		return fmt.Errorf("unknown field %q", clip(name))
	}
	if _, twice := seen[name]; twice {
		return fmt.Errorf("field %q comes twice", clip(name))
	}
	seen[name] = struct{}{}
	s.space()
	s.at++ // the colon
	return nil
}

// plain reports whether name is written as all names of messages are.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != ""
}

// text passes a string and returns it with its quotes.
func (s *jsonScan) text() []byte {
	start := s.at
	for s.at++; s.b[s.at] != '"'; s.at++ {
		if s.b[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	return s.b[start:s.at]
}

func (s *jsonScan) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\t' || s.b[s.at] == '\r' || s.b[s.at] == '\n') {
		s.at++
	}
}
