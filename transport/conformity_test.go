package transport_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/skshohagmiah/clusterkit/transport"
)

// protoFile reads transport.proto, so that the file itself is what the code is
// held to. Each line of it is a message, a field or a brace.
func protoFile(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	source, err := os.ReadFile("testdata/transport.proto")
	if err != nil {
		t.Fatal(err)
	}
	const pkg = "clusterkit.transport"
	if !strings.Contains(string(source), `syntax = "proto3";`) || !strings.Contains(string(source), "package "+pkg+";") {
		t.Fatal("not the file that this test reads")
	}
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("transport.proto"), Syntax: proto.String("proto3"), Package: proto.String(pkg)}
	scalars := map[string]descriptorpb.FieldDescriptorProto_Type{
		"string": descriptorpb.FieldDescriptorProto_TYPE_STRING, "bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES,
		"uint64": descriptorpb.FieldDescriptorProto_TYPE_UINT64, "uint32": descriptorpb.FieldDescriptorProto_TYPE_UINT32,
		"fixed64": descriptorpb.FieldDescriptorProto_TYPE_FIXED64, "bool": descriptorpb.FieldDescriptorProto_TYPE_BOOL,
	}
	message := regexp.MustCompile(`^message (\w+) \{$`)
	field := regexp.MustCompile(`^  (repeated )?(\w+) (\w+) = (\d+);`)
	var m *descriptorpb.DescriptorProto
	for _, line := range strings.Split(string(source), "\n") {
		if found := message.FindStringSubmatch(line); found != nil {
			m = &descriptorpb.DescriptorProto{Name: proto.String(found[1])}
			file.MessageType = append(file.MessageType, m)
			continue
		}
		found := field.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		n, _ := strconv.Atoi(found[4])
		f := &descriptorpb.FieldDescriptorProto{Name: proto.String(found[3]), Number: proto.Int32(int32(n)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if found[1] != "" {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if scalar, ok := scalars[found[2]]; ok {
			f.Type = scalar.Enum()
		} else {
			f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String("."+pkg+"."+found[2])
		}
		m.Field = append(m.Field, f)
	}
	desc, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// TestProtobufConformity holds the hand-written codec to the official one: it
// knows every field that we write, writes the same bytes, and finds in the
// fields what we put there.
func TestProtobufConformity(t *testing.T) {
	r, file := chance(t), protoFile(t)
	names := []protoreflect.Name{"JoinRequest", "JoinResponse", "SyncRequest", "SyncResponse", "ProbeRequest", "ProbeResponse"}
	for range 100 {
		for i, m := range r.messages(t) {
			b, err := transport.Marshal(transport.Protobuf, m)
			if err != nil {
				t.Fatal(err)
			}
			theirs := dynamicpb.NewMessage(file.Messages().ByName(names[i]))
			if err := proto.Unmarshal(b, theirs); err != nil {
				t.Fatalf("%s: %v", names[i], err)
			}
			checkKnown(t, theirs)
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(theirs)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%s: %v\nours   %x\ntheirs %x", names[i], err, b, again)
			}
			if req, ok := m.(*transport.SyncRequest); ok {
				checkSyncRequest(t, req, theirs)
			}
		}
	}
}

func checkKnown(t *testing.T, m protoreflect.Message) {
	t.Helper()
	if u := m.GetUnknown(); len(u) > 0 {
		t.Fatalf("%s: fields that the file does not have: %x", m.Descriptor().Name(), u)
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() == protoreflect.MessageKind {
			for i := range v.List().Len() {
				checkKnown(t, v.List().Get(i).Message())
			}
		}
		return true
	})
}

func checkSyncRequest(t *testing.T, req *transport.SyncRequest, theirs protoreflect.Message) {
	t.Helper()
	value := func(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(name))
	}
	digest, _ := req.Digest.MarshalText()
	list, vector := value(theirs, "events").List(), value(theirs, "vector").List()
	if value(theirs, "cluster").String() != req.Cluster || value(theirs, "config").Uint() != req.Config ||
		value(theirs, "from").String() != req.From || !bytes.Equal(value(theirs, "from_log").Bytes(), req.FromLog[:]) ||
		value(theirs, "to").String() != req.To || value(theirs, "wall").Uint() != uint64(req.Wall) ||
		value(theirs, "has_vector").Bool() != req.HasVector || len(value(theirs, "digest").Bytes())*2 != len(digest) ||
		list.Len() != len(req.Events) || vector.Len() != len(req.Vector) {
		t.Fatalf("%+v\nis to the official codec\n%v", req, theirs)
	}
	for i := range req.Events {
		if !bytes.Equal(list.Get(i).Bytes(), req.Events[i].Raw()) {
			t.Fatalf("event %d differs", i)
		}
	}
	for i, h := range req.Vector {
		if m := vector.Get(i).Message(); !bytes.Equal(value(m, "log").Bytes(), h.Log[:]) || value(m, "seq").Uint() != h.Seq {
			t.Fatalf("head %d differs", i)
		}
	}
}
