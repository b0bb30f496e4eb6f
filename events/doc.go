// Package events is the vocabulary of ClusterKit: what an event is, how it is
// named, timed, chained and encoded.
//
// An event is an immutable fact that one node, its origin, wrote to its own
// log; every other node copies it unchanged. The package is pure: it does no
// I/O, starts no goroutine, takes no lock and reads no clock. Time is always a
// parameter.
//
// # Names
//
// A log is one append-only sequence of events with one owner, named by a
// [LogID]. Within a log events are numbered 1, 2, 3 ... without a gap, so an
// event is named by its [ID], the pair (log, seq). A [Vector] says, for each
// log, the highest sequence that is held without a gap.
//
// # Time and order
//
// A [Timestamp] is a hybrid logical clock (Kulkarni et al., "Logical Physical
// Clocks", 2014): 48 bits of milliseconds and a 16-bit counter. It is used to
// order, never to measure. What decides between two events that write the same
// register is the [Stamp] (version, rank, time, log, seq): causally later
// always wins, the clock only breaks ties between concurrent writes.
//
// # Encoding
//
// An event is encoded once, by its origin, in the protobuf wire format that
// event.proto describes. Disk, wire and chain use the same bytes, and nobody
// ever encodes it again:
//
//	 1 log        bytes 16   LogID of the origin
//	 2 seq        varint     from 1
//	 3 time       fixed64    Timestamp
//	 4 type       string     "NodeJoined", "app/order-shipped"
//	 5 register   string     "node/n1"; absent for a pure fact
//	 6 version    varint     of the register
//	 7 rank       varint     breaks ties within a version
//	 8 actor      string     who asked for it
//	 9 cause_log  bytes 16   absent when the cause is in the same log
//	10 cause_seq  varint     absent when there is no cause
//	11 body       bytes      the fields of the type
//	15 chain      bytes 16   always the last 18 bytes
//
//	chain(n) = SHA-256(chain(n-1) || bytes(n) without the last 18)[:16]
//	chain(0) = SHA-256(LogID)[:16]
//
// Fields come in ascending order and zero values are left out, as every
// protobuf implementation writes them. A reader keeps fields that it does not
// know (12 to 14 are free for them), because it keeps the bytes. An event of
// fields that are all known has exactly one encoding; any other is refused.
//
// What makes an event malformed is a function of its bytes alone, so all nodes
// agree: the limits of this package, text that is no UTF-8 or has control
// characters, a version without a register, a cause that is not before its
// effect in the same log. Bodies are not looked into: a body that its type
// cannot read is an oddity to be told of, not a reason to stop the log. Neither
// is the chain; [Event.Links] checks it.
//
// JSON is the human form of the same event and is lossless both ways. What
// carries the content depends on what this version can build again:
//
//	body         the fields of a known type
//	body_base64  an unknown type, a later field in the body, an odd body
//	raw          the whole event: it has a later field itself
//
// # Cost
//
// For a PartitionAssigned of 135 bytes: [Decoder.Decode] 120 ns, [Decode]
// 170 ns, [Event.Links] 180 ns, [Seal] 400 ns, [Event.AppendJSON] 420 ns
// (encoding/json took 6 us), [Event.Payload] 360 ns. Only Seal, Decode and
// Payload allocate. Run go test -bench . to see yours.
package events
