package transport

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/skshohagmiah/clusterkit/events"
)

// zeros has no end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// TestSnapshotLimit reads answers without end: only one that says, at its
// beginning, that it is a snapshot may be larger than the others.
func TestSnapshotLimit(t *testing.T) {
	h := Header{Cluster: "c", From: "n", FromLog: events.LogID{1}}
	for _, c := range []struct {
		name   string
		begins Message
		into   Message
		limit  int64
	}{
		{"snapshot", &SyncResponse{Header: h, Code: CodeSnapshot}, new(SyncResponse), MaxSnapshot},
		{"data", &SyncResponse{Header: h, Code: CodeData}, new(SyncResponse), MaxAnswer},
		{"no code", &SyncResponse{Header: h}, new(SyncResponse), MaxAnswer},
		{"nothing", new(SyncResponse), new(SyncResponse), MaxAnswer},
		{"a probe that looks like one", &SyncResponse{Header: h, Code: CodeSnapshot}, new(ProbeResponse), MaxAnswer},
	} {
		answer := &http.Response{StatusCode: http.StatusOK}
		r := io.MultiReader(bytes.NewReader(c.begins.appendFields(nil)), zeros{})
		b, err := readGrowing(r, -1, answerLimit(answer, c.into))
		if !errors.Is(err, errTooLarge) || int64(len(b)) <= c.limit || int64(cap(b)) > c.limit*3/2 {
			t.Errorf("%s: %d bytes read into %d, %v; want just beyond %d", c.name, len(b), cap(b), err, c.limit)
		}
	}
}

// TestReadLimited reads to the byte.
func TestReadLimited(t *testing.T) {
	for _, declared := range []int64{-1, 0, 1, 1000, 1 << 40, 1<<63 - 1} {
		for n := range 2000 {
			b, err := readLimited(bytes.NewReader(make([]byte, n)), declared, 1000)
			if n <= 1000 && (err != nil || len(b) != n) || n > 1000 && !errors.Is(err, errTooLarge) {
				t.Fatalf("%d bytes, %d declared: %d, %v", n, declared, len(b), err)
			}
		}
	}
}
