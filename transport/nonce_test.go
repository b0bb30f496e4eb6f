package transport

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

func nonce(n int) (b [stampSize]byte) {
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return b
}

// TestNoncesAreBounded fills the memory of used signatures: rather than forget
// one, it takes no more until the oldest have expired.
func TestNoncesAreBounded(t *testing.T) {
	var s nonces
	now := time.Unix(1_790_000_000, 0)
	for i := range maxNonces {
		if err := s.use(nonce(i), now); err != nil {
			t.Fatal(err)
		}
	}
	var e *Error
	if err := s.use(nonce(maxNonces), now); !errors.As(err, &e) || e.Code != ErrorBusy {
		t.Errorf("one more: %v", err)
	}
	if err := s.use(nonce(7), now); !errors.As(err, &e) || e.Code != ErrorUnauthorized {
		t.Errorf("a used one: %v", err)
	}
	now = now.Add(2*window + time.Second)
	if err := s.use(nonce(maxNonces), now); err != nil {
		t.Errorf("later: %v", err)
	}
	if err := s.use(nonce(7), now); err == nil {
		t.Error("a used one was forgotten too early")
	}
	now = now.Add(2*window + time.Second)
	if err := s.use(nonce(maxNonces+1), now); err != nil {
		t.Error(err)
	}
	if len(s.before) != 1 || len(s.current) != 1 {
		t.Errorf("%d and %d are remembered", len(s.before), len(s.current))
	}
}

// TestNoncesLastLongEnough uses a signature at every possible time and again at
// every time at which it would still be accepted.
func TestNoncesLastLongEnough(t *testing.T) {
	for first := time.Duration(0); first < 6*window; first += 7 * time.Second {
		for again := time.Duration(0); again <= 2*window; again += 5 * time.Second {
			var s nonces
			start := time.Unix(1_790_000_000, 0)
			if s.use(nonce(1), start) != nil || s.use(nonce(2), start.Add(first)) != nil {
				t.Fatal("a new one was refused")
			}
			for gap := time.Duration(0); gap < again; gap += 30 * time.Second {
				_ = s.use(nonce(int(3+gap)), start.Add(first+gap)) // others come meanwhile
			}
			if s.use(nonce(2), start.Add(first+again)) == nil {
				t.Fatalf("used after %v and accepted again %v later", first, again)
			}
		}
	}
}
