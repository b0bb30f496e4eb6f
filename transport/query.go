package transport

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/skshohagmiah/clusterkit/events"
)

// maxTypes bounds the event types of one query.
const maxTypes = 64

// query parses the parameters of a GET: only the named ones, each once.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Errorf(http.StatusBadRequest, ErrorBadRequest, "query: %v", err)
	}
	for name, values := range q {
		if !slices.Contains(names, name) {
			return nil, Errorf(http.StatusBadRequest, ErrorBadRequest, "unknown parameter %q; there are: %s",
				clip(name), strings.Join(names, ", "))
		}
		if len(values) > 1 {
			return nil, Errorf(http.StatusBadRequest, ErrorBadRequest, "parameter %q comes twice", name)
		}
	}
	return q, nil
}

// eventsQuery reads what GET /events asks for.
func eventsQuery(r *http.Request) (EventsQuery, error) {
	var q EventsQuery
	v, err := query(r, "after", "type", "node", "limit")
	if err != nil {
		return q, err
	}
	q.Follow = strings.Contains(r.Header.Get("Accept"), mediaEvents)
	after := v.Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after = last // a stream that resumes knows better than its address
	}
	if q.After, err = events.ParseVector(after); err != nil {
		return q, Errorf(http.StatusBadRequest, ErrorBadRequest, "after: %v", err)
	}
	if types := v.Get("type"); types != "" {
		q.Types = strings.Split(types, ",")
	}
	if len(q.Types) > maxTypes {
		return q, Errorf(http.StatusBadRequest, ErrorBadRequest, "type: %d types, at most %d", len(q.Types), maxTypes)
	}
	for _, t := range q.Types {
		if err := checkText("type", t, 1, events.MaxTypeLength); err != nil {
			return q, Errorf(http.StatusBadRequest, ErrorBadRequest, "%v", err)
		}
	}
	if q.Node = v.Get("node"); q.Node != "" {
		if err := events.CheckNodeID(q.Node); err != nil {
			return q, Errorf(http.StatusBadRequest, ErrorBadRequest, "%v", err)
		}
	}
	if limit := v.Get("limit"); limit != "" {
		n, err := strconv.ParseUint(limit, 10, 31)
		if err != nil || n == 0 {
			return q, Errorf(http.StatusBadRequest, ErrorBadRequest, "limit %q is not a number from 1", clip(limit))
		}
		q.Limit = int(n)
	}
	return q, nil
}
