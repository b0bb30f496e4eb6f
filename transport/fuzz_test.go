package transport

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// FuzzSignature reads headers that claim to be signatures: what is read is
// what would be written, and nothing but our own is believed.
func FuzzSignature(f *testing.F) {
	ring, now := newKeyring("secret"), time.Unix(1_790_000_000, 0)
	f.Add(ring.sign("POST", "/sync", nil, now).header())
	f.Add("CK1 ")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		if s, ok := parseSignature(header); ok && s.header() != header {
			t.Errorf("%q is read as %q", header, s.header())
		}
		r := httptest.NewRequest(http.MethodPost, "/probe", nil)
		r.Header.Set("Authorization", header)
		if _, err := ring.verify(r, []byte("body"), now); err == nil {
			t.Errorf("%q is believed", header)
		}
	})
}

// FuzzEventsQuery reads what GET /events asks for.
func FuzzEventsQuery(f *testing.F) {
	f.Add("after=00000000000000000000000001:7&type=a,b&node=n&limit=3", "")
	f.Add("", "00000000000000000000000001:7")
	f.Fuzz(func(t *testing.T, raw, last string) {
		r := &http.Request{URL: &url.URL{RawQuery: raw}, Header: http.Header{"Last-Event-Id": {last}}}
		q, err := eventsQuery(r)
		if err == nil && (q.After == nil || q.Limit < 0 || len(q.Types) > maxTypes) {
			t.Errorf("%q: %+v", raw, q)
		}
	})
}
