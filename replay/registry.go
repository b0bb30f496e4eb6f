package replay

import (
	"encoding/json"

	"github.com/skshohagmiah/clusterkit/events"
)

// Registry says how to read the bodies of event types that belong to an
// application: from its bytes to a value that encoding/json can write. With
// one, events of these types are shown by what they say, and JSON has that
// under "decoded"; without one by their bytes. What a function returns an error
// for is shown by its bytes. Functions are called from several goroutines.
//
// The program that has it is [github.com/skshohagmiah/clusterkit/replay/cli.Program].
type Registry map[events.Type]func(body []byte) (any, error)

// Use makes a source describe events with a registry. Call it before anything
// is asked.
func (s *Source) Use(r Registry) {
	s.registry = r
	if s.names != nil {
		s.names.registry = r
	}
	if u, ok := s.feed.(*union); ok {
		for _, part := range u.sources {
			part.Use(r)
		}
	}
}

// decoded returns the JSON of the body of an event of the application, nil when
// nobody knows how to read it.
func (n *Names) decoded(e *events.Event) json.RawMessage {
	if n == nil || len(n.registry) == 0 {
		return nil
	}
	decode := n.registry[e.Type]
	if decode == nil {
		return nil
	}
	v, err := decode(e.Body)
	if err != nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

// plain returns the names without a registry.
func (n *Names) plain() *Names {
	c := *n
	c.registry = nil
	return &c
}

// What returns what an event says, in words, as the function [What] does, and
// of types in the source's registry what their bodies say.
func (n *Names) What(e *events.Event) string {
	if text := n.decoded(e); text != nil {
		return string(text)
	}
	return What(e)
}
