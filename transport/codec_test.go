package transport_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

var update = flag.Bool("update", false, "write the golden files again")

var forms = []transport.Form{transport.JSON, transport.Protobuf}

// sameEvent compares events by their bytes, and lists without regard to nil.
var sameMessage = cmp.Options{
	cmp.Comparer(func(a, b events.Event) bool { return bytes.Equal(a.Raw(), b.Raw()) }),
	cmp.Transformer("list", func(l transport.Heads) []events.Head { return append([]events.Head{}, l...) }),
}

func TestRoundTrip(t *testing.T) {
	r := chance(t)
	for range 100 {
		for i, m := range r.messages(t) {
			for _, form := range forms {
				b, err := transport.Marshal(form, m)
				if err != nil {
					t.Fatalf("%+v: %v", m, err)
				}
				got := empty()[i]
				if err := transport.Unmarshal(form, b, got); err != nil {
					t.Fatalf("%T: %v\n%q", m, err, b)
				}
				if diff := cmp.Diff(m, got, sameMessage); diff != "" {
					t.Fatalf("%T (-want +got):\n%s", m, diff)
				}
				again, err := transport.Marshal(form, got)
				if err != nil || !bytes.Equal(b, again) {
					t.Fatalf("%T has two encodings:\n%q\n%q\n%v", m, b, again, err)
				}
			}
		}
	}
}

// golden are the messages in testdata.
func golden(t testing.TB) map[string]transport.Message {
	h := testHeader()
	reply := transport.Header{Cluster: testCluster, From: "node-2", FromLog: testLog(2), Wall: 1_790_000_000_124}
	list := run(t, testLog(1), 2)
	return map[string]transport.Message{
		"join_request": joinRequest(),
		"join_response": &transport.JoinResponse{Header: reply, Digest: testDigest(2), Spoken: true, Members: []transport.Member{
			{ID: "node-2", Addr: "10.0.0.2:80", Status: "alive", Incarnation: 7, Log: testLog(2)}, {ID: "node-3"}}},
		"sync_request": &transport.SyncRequest{Header: h, Digest: testDigest(1), HasVector: true,
			Vector: []events.Head{list[1].Head(), {Log: testLog(2), Seq: 300}}, Events: list},
		"sync_response": &transport.SyncResponse{Header: reply, Digest: testDigest(2), Code: transport.CodeData, HasVector: true,
			Vector: []events.Head{{Log: testLog(2), Seq: 300, Chain: events.Genesis(testLog(2))}}, Events: list, More: true,
			Acks: []events.Head{{Log: testLog(1), Seq: 2}}, Spoken: true},
		"sync_snapshot": &transport.SyncResponse{Header: reply, Digest: testDigest(2), Code: transport.CodeSnapshot, Snapshot: []byte("a state")},
		"sync_buckets":  &transport.SyncRequest{Header: h, Digest: testDigest(1), Buckets: &events.Buckets{1, 63: 1 << 63}},
		"sync_within": &transport.SyncResponse{Header: reply, Digest: testDigest(2), Code: transport.CodeNeedVector, HasVector: true,
			Vector: []events.Head{{Log: testLog(2), Seq: 300, Chain: events.Genesis(testLog(2))}}, Within: 1<<9 | 1<<40},
		"sync_equal":    &transport.SyncResponse{Header: reply, Code: transport.CodeEqual},
		"probe_request": &transport.ProbeRequest{Header: h, Digest: testDigest(1)},
		"probe_indirect": &transport.ProbeRequest{Header: h, Digest: testDigest(1), Target: "node-3", TargetAddr: "10.0.0.3:80",
			Accused: 4, Reach: 200},
		"probe_response": &transport.ProbeResponse{Header: reply, Equal: true, Incarnation: 7},
		"probe_degraded": &transport.ProbeResponse{Header: reply, Digest: testDigest(2), Incarnation: 7, Reached: true, Degraded: "the log failed", Process: events.NewTimestamp(1_790_000_000_000, 7)},
	}
}

func sameKind(m transport.Message) transport.Message {
	for _, e := range empty() {
		if fmt.Sprintf("%T", e) == fmt.Sprintf("%T", m) {
			return e
		}
	}
	panic("no such message")
}

func TestGolden(t *testing.T) {
	for name, m := range golden(t) {
		for _, form := range forms {
			b, err := transport.Marshal(form, m)
			if err != nil {
				t.Fatal(err)
			}
			file, text := "testdata/"+name+".json", b
			if form == transport.Protobuf {
				file, text = "testdata/"+name+".hex", []byte(hex.EncodeToString(b)+"\n")
			}
			if *update {
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, want) {
				t.Errorf("%s (-want +got):\n%s", file, cmp.Diff(string(want), string(text)))
			}
			if form == transport.Protobuf {
				want, err = hex.DecodeString(strings.TrimSpace(string(want)))
				if err != nil {
					t.Fatal(err)
				}
			}
			got := sameKind(m)
			if err := transport.Unmarshal(form, want, got); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if diff := cmp.Diff(m, got, sameMessage); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
	}
}

// TestEveryCut cuts golden messages at every byte: what is left is refused,
// or is a message that lacks its last fields.
func TestEveryCut(t *testing.T) {
	for name, m := range golden(t) {
		for _, form := range forms {
			b, err := transport.Marshal(form, m)
			if err != nil {
				t.Fatal(err)
			}
			for n := range b[:len(b)-1] {
				got := sameKind(m)
				err := transport.Unmarshal(form, bytes.Clone(b[:n]), got)
				if err != nil && !errors.Is(err, transport.ErrMalformed) {
					t.Fatalf("%s cut at %d: %v", name, n, err)
				}
				if err == nil && form == transport.JSON {
					t.Fatalf("%s cut at %d is read", name, n)
				}
				if again, _ := transport.Marshal(form, got); err == nil && !bytes.Equal(again, b[:n]) {
					t.Fatalf("%s cut at %d is read as something else", name, n)
				}
			}
		}
	}
}

// wire builds protobuf by hand.
type wire []byte

func (w wire) varint(num protowire.Number, v uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, num, protowire.VarintType), v)
}

func (w wire) fixed(num protowire.Number, v uint64) wire {
	return protowire.AppendFixed64(protowire.AppendTag(w, num, protowire.Fixed64Type), v)
}

func (w wire) bytes(num protowire.Number, v string) wire {
	return protowire.AppendString(protowire.AppendTag(w, num, protowire.BytesType), v)
}

func (w wire) raw(b ...byte) wire { return append(w, b...) }

// start begins a valid probe or sync request.
func start() wire {
	log := testLog(1)
	return wire{}.bytes(1, testCluster).fixed(2, testConfig).bytes(3, "node-1").bytes(4, string(log[:])).bytes(5, "node-2").varint(6, 1)
}

func TestStrictProtobuf(t *testing.T) {
	probe, sync, join := new(transport.ProbeRequest), new(transport.SyncRequest), new(transport.JoinRequest)
	head := func(n byte) string {
		log := testLog(n)
		return string(wire{}.bytes(1, string(log[:])).varint(2, 1))
	}
	event := string(run(t, testLog(1), 1)[0].Raw())
	for _, c := range []struct {
		name string
		into transport.Message
		b    wire
		want string // in the error; empty when it is accepted
	}{
		{"the least", probe, start(), ""},
		{"empty", probe, nil, "cluster has 0 bytes"},
		{"a later version's field", probe, start().bytes(100, "new").varint(101, 0).varint(101, 7), ""},
		{"a later version's header field", probe, start().varint(7, 7), ""},
		{"field twice", probe, start().varint(6, 2), "comes twice"},
		{"field out of order", probe, start().bytes(5, "node-2"), "comes after"},
		{"overlong varint", probe, start().raw(11<<3, 0x81, 0x00), "not a protobuf field"},
		{"overlong tag", probe, start().raw(0xd8, 0x00, 1), "not a protobuf field"},
		{"varint of eleven bytes", probe, start().raw(11<<3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), "not a protobuf field"},
		{"field zero", probe, start().raw(0, 0), "not a protobuf field"},
		{"group", probe, start().raw(9<<3|3, 9<<3|4), "not a protobuf field"},
		{"length beyond the end", probe, start().raw(9<<3|2, 200, 'x'), "not a protobuf field"},
		{"length beyond everything", probe, start().raw(9<<3|2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), "not a protobuf field"},
		{"trailing byte", probe, start().raw(11 << 3), "not a protobuf field"},
		{"zero written out", probe, start().varint(11, 0), "is zero"},
		{"empty text written out", probe, start().bytes(9, ""), "is zero"},
		{"wrong wire type", probe, start().bytes(11, "x"), "wire type 2, want 0"},
		{"digest of 39 bytes", probe, start().bytes(8, strings.Repeat("d", 39)), "digest of 39 bytes"},
		{"digest of zeros", probe, start().bytes(8, strings.Repeat("\x00", 40)), "is zero"},
		{"log of 15 bytes", probe, wire{}.bytes(1, "c").bytes(3, "n").bytes(4, "123456789012345"), "15 bytes, want 16"},
		{"log of zeros", probe, wire{}.bytes(1, "c").bytes(3, "n").bytes(4, strings.Repeat("\x00", 16)), "is zero"},
		{"no sender", probe, wire{}.bytes(1, "c"), "from:"},
		{"sender with a slash", probe, wire{}.bytes(1, "c").bytes(3, "a/b"), "from:"},
		{"sender of 65 bytes", probe, wire{}.bytes(1, "c").bytes(3, strings.Repeat("n", 65)), "from:"},
		{"cluster of 65 bytes", probe, wire{}.bytes(1, strings.Repeat("n", 65)), "cluster has 65 bytes"},
		{"cluster with a newline", probe, wire{}.bytes(1, "a\nb"), "control character"},
		{"cluster that is not UTF-8", probe, wire{}.bytes(1, "\xff"), "UTF-8"},
		{"time beyond events", probe, wire{}.bytes(1, "c").varint(6, 1<<47), "from:"},
		{"target without address", probe, start().bytes(9, "node-3"), "target_addr has 0 bytes"},
		{"address without target", probe, start().bytes(10, "a:80"), "target"},
		{"address without port", probe, start().bytes(9, "node-3").bytes(10, "a"), "not host:port"},
		{"address of 256 bytes", probe, start().bytes(9, "node-3").bytes(10, strings.Repeat("a", 253)+":80"), "256 bytes"},
		{"vector not announced", sync, start().bytes(10, head(1)), "has_vector"},
		{"vector", sync, start().varint(9, 1).bytes(10, head(1)).bytes(10, head(2)), ""},
		{"vector with one log twice", sync, start().varint(9, 1).bytes(10, head(1)).bytes(10, head(1)), "does not ascend"},
		{"vector that descends", sync, start().varint(9, 1).bytes(10, head(2)).bytes(10, head(1)), "does not ascend"},
		{"vector within its buckets", sync, start().varint(9, 1).bytes(10, head(1)).fixed(21, 1<<9), ""},
		{"vector beyond its buckets", sync, start().varint(9, 1).bytes(10, head(1)).fixed(21, 1<<8), "in none of its buckets"},
		{"buckets of a vector not announced", sync, start().fixed(21, 1<<8), "has_vector"},
		{"buckets", sync, start().bytes(20, strings.Repeat("b", 512)), ""},
		{"buckets of 511 bytes", sync, start().bytes(20, strings.Repeat("b", 511)), "buckets of 511 bytes"},
		{"head without a log", sync, start().varint(9, 1).bytes(10, ""), "head without a log"},
		{"flag of two", sync, start().varint(9, 2), "flag of 2"},
		{"event", sync, start().bytes(11, event), ""},
		{"event cut off", sync, start().bytes(11, event[:len(event)-1]), "malformed event"},
		{"event of no bytes", sync, start().bytes(11, ""), "is zero"},
		{"event between others", sync, start().bytes(11, event).bytes(12, "x").bytes(11, event), "comes after"},
		{"4096 events", sync, start().raw([]byte(strings.Repeat(string(wire{}.bytes(11, event)), 4096))...), ""},
		{"4097 events", sync, start().raw([]byte(strings.Repeat(string(wire{}.bytes(11, event)), 4097))...), "more than 4096 events"},
		{"65537 heads", sync, start().varint(9, 1).raw([]byte(strings.Repeat(string(wire{}.bytes(10, head(1))), 65537))...), "more than 65536 heads"},
		{"join without a node", join, start(), "node is missing"},
		{"join of another node", join, start().bytes(8, string(wire{}.bytes(1, "other"))), `node is "other"`},
		{"join with a node that is not protobuf", join, start().bytes(8, "\xff"), "not a protobuf field"},
		{"join with too much metadata", join, start().bytes(8, string(events.Encode(&events.NodeRecord{ID: "node-1",
			Metadata: map[string]string{"k": strings.Repeat("x", 4096)}}))), "at most 4096"},
		{"join with an address of 256 bytes", join, start().bytes(8, string(events.Encode(&events.NodeRecord{ID: "node-1",
			Addr: strings.Repeat("a", 256)}))), "node.addr has 256 bytes"},
		{"join with a zone of 129 bytes", join, start().bytes(8, string(events.Encode(&events.NodeRecord{ID: "node-1",
			Zone: strings.Repeat("a", 129)}))), "node.zone has 129 bytes"},
		{"answer without a code", new(transport.SyncResponse), start(), "sync code 0"},
		{"answer of an unknown code", new(transport.SyncResponse), start().varint(9, 5), "sync code 5"},
		{"answer of a code that does not fit", new(transport.SyncResponse), start().varint(9, 257), "sync code 255"},
		{"snapshot without its code", new(transport.SyncResponse), start().varint(9, 2).bytes(13, "x"), "a snapshot of 1 bytes"},
		{"code without its snapshot", new(transport.SyncResponse), start().varint(9, 4), "a snapshot of 0 bytes"},
		{"member without an id", new(transport.JoinResponse), start().bytes(8, ""), "node id"},
		{"degraded beyond its limit", new(transport.ProbeResponse), start().bytes(12, strings.Repeat("x", 257)), "degraded has 257"},
	} {
		m := sameKind(c.into)
		checkDecode(t, c.name, transport.Unmarshal(transport.Protobuf, c.b, m), c.want)
	}
}

func checkDecode(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, transport.ErrMalformed)):
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func TestStrictJSON(t *testing.T) {
	const header = `"cluster":"my-app","config":"7","from":"node-1","from_log":"00000000000000000000000001","to":"node-2"`
	event, err := run(t, testLog(1), 1)[0].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	probe, sync, join := new(transport.ProbeRequest), new(transport.SyncRequest), new(transport.JoinRequest)
	for _, c := range []struct {
		name string
		into transport.Message
		b    string
		want string
	}{
		{"the least", probe, "{" + header + "}", ""},
		{"white space", probe, " \n{\t" + header + "}\r\n ", ""},
		{"nothing", probe, "", "unexpected end"},
		{"no object", probe, "[]", "want an object"},
		{"null", probe, "null", "want an object"},
		{"cut off", probe, "{" + header, "unexpected end"},
		{"two objects", probe, "{" + header + "}{}", "after top-level value"},
		{"garbage behind", probe, "{" + header + "}x", "after top-level value"},
		{"field twice", probe, "{" + header + `,"to":"node-3"}`, "comes twice"},
		{"field twice in another case", probe, "{" + header + `,"To":"node-3"}`, `unknown field "To"`},
		{"field twice with a long s", probe, "{" + header + `,"accu` + "\u017f" + `ed":1}`, "unknown field"},
		{"field of nobody", probe, "{" + header + `,"tarket":"x"}`, "unknown field"},
		{"field of another message", probe, "{" + header + `,"events":[]}`, "unknown field"},
		{"number for text", probe, "{" + header + `,"target":7}`, "cannot unmarshal"},
		{"text for a number", probe, "{" + header + `,"accused":"7"}`, "cannot unmarshal"},
		{"negative", probe, "{" + header + `,"accused":-1}`, "cannot unmarshal"},
		{"fraction", probe, "{" + header + `,"accused":1.5}`, "cannot unmarshal"},
		{"beyond 64 bits", probe, "{" + header + `,"accused":18446744073709551616}`, "cannot unmarshal"},
		{"digest", probe, "{" + header + `,"digest":"` + strings.Repeat("ab", 40) + `"}`, ""},
		{"short digest", probe, "{" + header + `,"digest":"abcd"}`, "digest of 4 characters"},
		{"time before 1970", probe, "{" + header + `,"wall":-1}`, "wall is out of range"},
		{"deep", probe, "{" + header + `,"target":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "}", "nested deeper"},
		{"deeper than anybody reads", probe, "{" + header + `,"target":` + strings.Repeat("[", 100_000), "exceeded max depth"},
		{"field twice, spelt differently", probe, "{" + header + `,"t\u006f":"node-3"}`, `field "to" comes twice`},
		{"field spelt differently", probe, "{" + header + `,"acc\u0075sed":7}`, ""},
		{"name that ends in a backslash", probe, "{" + header + `,"to\\":"node-3"}`, `unknown field`},
		{"text with quotes and braces", probe, "{" + header + `,"digest":"a\"}{[,:\\"}`, "digest of"},
		{"no name", probe, "{" + header + `,"":1}`, "unknown field"},
		{"event", sync, "{" + header + `,"events":[` + string(event) + `]}`, ""},
		{"event of nothing", sync, "{" + header + `,"events":[null]}`, "item 1"},
		{"events of nothing", sync, "{" + header + `,"events":[` + strings.Repeat("{},", 100_000) + `{}]}`, "item 1"},
		{"event with a field twice", sync, "{" + header + `,"events":[` + strings.Replace(string(event), "{", `{"type":"app/x",`, 1) + `]}`, "comes twice"},
		{"no list of events", sync, "{" + header + `,"events":{}}`, "want a list"},
		{"null list of events", sync, "{" + header + `,"events":null}`, "want a list"},
		{"4097 events", sync, "{" + header + `,"events":[` + strings.Repeat(string(event)+",", 4096) + string(event) + `]}`, "more than 4096 events"},
		{"head", sync, "{" + header + `,"has_vector":true,"vector":["00000000000000000000000001:7:` + strings.Repeat("ab", 16) + `"]}`, ""},
		{"head without sequence", sync, "{" + header + `,"has_vector":true,"vector":["00000000000000000000000001"]}`, "want log:seq:chain"},
		{"head of a bad log", sync, "{" + header + `,"has_vector":true,"vector":["x:1"]}`, "log id"},
		{"head that is a number", sync, "{" + header + `,"has_vector":true,"vector":[7]}`, "item 1"},
		{"node", join, "{" + header + `,"node":{"id":"node-1","addr":"a:80"}}`, ""},
		{"node with a field of nobody", join, "{" + header + `,"node":{"id":"node-1","addr":"a:80","adress":""}}`, "unknown field"},
		{"node with a field twice", join, "{" + header + `,"node":{"id":"node-1","addr":"a:80","addr":"b:80"}}`, "comes twice"},
		{"node with a control character", join, "{" + header + `,"node":{"id":"node-1","name":"a\u0007"}}`, "control character"},
		{"node of too much weight", join, "{" + header + `,"node":{"id":"node-1","weight":4294967295}}`, "at most 2147483647"},
		{"code of nobody", new(transport.SyncResponse), "{" + header + `,"code":"maybe"}`, `sync code "maybe"`},
		{"member with a field of nobody", new(transport.JoinResponse), "{" + header + `,"members":[{"id":"a","x":1}]}`, "unknown field"},
	} {
		m := sameKind(c.into)
		checkDecode(t, c.name, transport.Unmarshal(transport.JSON, []byte(c.b), m), c.want)
	}
}

func TestMarshalRefusesWhatNobodyWouldRead(t *testing.T) {
	for _, m := range []transport.Message{
		&transport.ProbeRequest{},
		&transport.SyncRequest{Header: testHeader(), Events: make([]events.Event, 1)},
		&transport.SyncRequest{Header: testHeader(), Vector: make([]events.Head, 1)},
		&transport.SyncResponse{Header: testHeader()},
		&transport.JoinRequest{Header: testHeader()},
		&transport.JoinResponse{Header: testHeader(), Members: make([]transport.Member, 1)},
	} {
		for _, form := range forms {
			if b, err := transport.Marshal(form, m); err == nil {
				t.Errorf("%T: %q", m, b)
			}
		}
	}
}

// TestDecodingTakesLittleMemory feeds what promises much and holds little.
func TestDecodingTakesLittleMemory(t *testing.T) {
	heads := start().varint(9, 1)
	for i := range 60_000 {
		log := events.NewLogID(int64(i), [10]byte{1})
		heads = heads.bytes(10, string(wire{}.bytes(1, string(log[:]))))
	}
	members := start()
	for range 16_384 {
		members = members.bytes(8, string(wire{}.bytes(1, "n")))
	}
	list := start()
	for _, e := range run(t, testLog(1), 4096) {
		list = list.bytes(11, string(e.Raw()))
	}
	for _, c := range []struct {
		name string
		form transport.Form
		into transport.Message
		b    []byte
		most int // times the input
	}{
		{"heads", transport.Protobuf, new(transport.SyncRequest), heads, 4},
		{"members of an id", transport.Protobuf, new(transport.JoinResponse), members, 20},
		{"events", transport.Protobuf, new(transport.SyncRequest), list, 4},
		{"one event, and room for many", transport.Protobuf, new(transport.SyncRequest),
			start().bytes(11, string(run(t, testLog(1), 1)[0].Raw())).bytes(200, strings.Repeat("x", 1<<20)), 2},
		{"unknown fields", transport.Protobuf, new(transport.SyncRequest), []byte(strings.Repeat("\xd8\x06\x01", 1<<17)), 1},
		{"many empty events", transport.JSON, new(transport.SyncRequest), []byte(`{"events":[` + strings.Repeat("{},", 1<<17) + `{}]}`), 8},
		{"many empty heads", transport.JSON, new(transport.SyncRequest), []byte(`{"vector":[` + strings.Repeat(`"",`, 1<<17) + `""]}`), 8},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = transport.Unmarshal(c.form, c.b, c.into)
		runtime.ReadMemStats(&after)
		if took := int(after.TotalAlloc - before.TotalAlloc); took > c.most*len(c.b)+64<<10 {
			t.Errorf("%s: %d bytes allocated for %d", c.name, took, len(c.b))
		} else {
			t.Logf("%s: %.1f bytes allocated per byte", c.name, float64(took)/float64(len(c.b)))
		}
	}
}

func fuzz(f *testing.F, kind transport.Message) {
	for name, m := range golden(f) {
		if fmt.Sprintf("%T", m) != fmt.Sprintf("%T", kind) {
			continue
		}
		for _, form := range forms {
			b, err := transport.Marshal(form, m)
			if err != nil {
				f.Fatal(name, err)
			}
			f.Add(form == transport.JSON, b)
		}
	}
	f.Fuzz(func(t *testing.T, isJSON bool, b []byte) {
		form := transport.Protobuf
		if isJSON {
			form = transport.JSON
		}
		m := sameKind(kind)
		if transport.Unmarshal(form, bytes.Clone(b), m) != nil {
			return
		}
		for _, form := range forms { // what is read can be told in both forms
			again, err := transport.Marshal(form, m)
			if err != nil {
				t.Fatalf("read and not written: %v", err)
			}
			got := sameKind(kind)
			if err := transport.Unmarshal(form, again, got); err != nil {
				t.Fatalf("written and not read: %v\n%q", err, again)
			}
			if diff := cmp.Diff(m, got, sameMessage); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
	})
}

func FuzzJoinRequest(f *testing.F)   { fuzz(f, new(transport.JoinRequest)) }
func FuzzJoinResponse(f *testing.F)  { fuzz(f, new(transport.JoinResponse)) }
func FuzzSyncRequest(f *testing.F)   { fuzz(f, new(transport.SyncRequest)) }
func FuzzSyncResponse(f *testing.F)  { fuzz(f, new(transport.SyncResponse)) }
func FuzzProbeRequest(f *testing.F)  { fuzz(f, new(transport.ProbeRequest)) }
func FuzzProbeResponse(f *testing.F) { fuzz(f, new(transport.ProbeResponse)) }
