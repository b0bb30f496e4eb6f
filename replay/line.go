package replay

import (
	"encoding/json"
	"strconv"

	"github.com/skshohagmiah/clusterkit/events"
)

// lateAfter is how many milliseconds an event may be under way before a line
// says so.
const lateAfter = 1000

// Late returns how many milliseconds after its own time an event became known
// here, or 0 when that is not known or not worth a word.
func (l *Line) Late() int64 {
	if late := l.Received - l.Event.Time.Millis(); l.Received > 0 && late > lateAfter {
		return late
	}
	return 0
}

// AppendJSON appends the line as one JSON object: what this log knows about the
// event, then the fields of the event itself, from which its exact bytes can
// be made again.
//
//	{"index":12,"received":"2026-11-22T14:03:05.164Z","node":"n1","subject":"partition/17",
//	 "outcome":"won","changes":[{"field":"owners","from":"n3,n1","to":"n1,n2"}],
//	 "id":"01M3ZJ...:9","time":...}
func (l *Line) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if l.Index > 0 {
		b = append(strconv.AppendUint(append(b, `"index":`...), l.Index, 10), ',')
	}
	if l.Received > 0 {
		b = append(b, `"received":"`...)
		b, _ = events.NewTimestamp(l.Received, 0).AppendText(b) // never fails
		b = append(b, `",`...)
	}
	if owner := l.Names.Owner(l.Event.Log); owner != "" {
		b = append(append(append(b, `"node":"`...), owner...), `",`...) // a node id needs no escaping
	}
	if len(l.Sources) > 0 {
		b = appendMember(b, "logs", l.Sources)
	}
	if l.Outcome != 0 {
		b = appendMember(b, "outcome", l.Outcome.String())
		if len(l.Changes) > 0 {
			b = appendMember(b, "changes", l.Changes)
		}
	}
	at := len(b)
	b, _ = l.Event.AppendJSON(b)
	b = append(b[:at], b[at+1:]...) // without its opening brace
	if text := l.Names.decoded(&l.Event); text != nil {
		b = append(append(append(b[:len(b)-1], `,"decoded":`...), text...), '}')
	}
	return b
}

func appendMember(b []byte, name string, v any) []byte {
	text, _ := json.Marshal(v) // strings and structs of strings
	b = append(append(append(b, '"'), name...), `":`...)
	return append(append(b, text...), ',')
}
