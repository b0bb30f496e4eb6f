package transport_test

import (
	"fmt"
	"testing"

	"github.com/skshohagmiah/clusterkit/transport"
)

// BenchmarkProbe is one probe and its answer over loopback.
func BenchmarkProbe(b *testing.B) {
	for name, secret := range map[string]string{"unsigned": "", "signed": secret} {
		b.Run(name, func(b *testing.B) {
			addr := serve(b, newFake(), transport.ServerOptions{Secret: secret})
			c := newClient(b, transport.ClientOptions{Secret: secret})
			req := probeRequest()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Probe(b.Context(), addr, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSync brings pages of events over loopback.
func BenchmarkSync(b *testing.B) {
	for _, n := range []int{1, 256, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			addr := serve(b, newFake(), transport.ServerOptions{})
			c := newClient(b, transport.ClientOptions{})
			req := syncRequest()
			req.Events = run(b, testLog(1), n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Sync(b.Context(), addr, req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkCodec encodes and decodes a page of 4096 events.
func BenchmarkCodec(b *testing.B) {
	req := syncRequest()
	req.Events = run(b, testLog(1), 4096)
	for _, form := range []transport.Form{transport.Protobuf, transport.JSON} {
		text, err := transport.Marshal(form, req)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode "+form.ContentType(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := transport.Marshal(form, req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode "+form.ContentType(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := transport.Unmarshal(form, text, new(transport.SyncRequest)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
