package events_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/scanner"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// protoFile reads event.proto, so that the file itself, and not a copy of it in
// a test, is what the code is held to.
func protoFile(t testing.TB) protoreflect.FileDescriptor {
	t.Helper()
	source, err := os.ReadFile("event.proto")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parseProto(string(source))
	if err != nil {
		t.Fatal(err)
	}
	desc, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// protoParser reads the part of proto3 that event.proto uses and refuses the
// rest: a package, flat messages, scalar fields, repeated fields and maps.
type protoParser struct {
	scan scanner.Scanner
	file *descriptorpb.FileDescriptorProto
}

// parseError is what the methods of a protoParser panic with.
type parseError string

func parseProto(source string) (file *descriptorpb.FileDescriptorProto, err error) {
	p := protoParser{file: &descriptorpb.FileDescriptorProto{Name: proto.String("event.proto"), Syntax: proto.String("proto3")}}
	p.scan.Init(strings.NewReader(source))
	p.scan.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanStrings | scanner.ScanComments | scanner.SkipComments
	p.scan.Error = func(_ *scanner.Scanner, msg string) { panic(parseError(msg)) }
	defer func() {
		if e, ok := recover().(parseError); ok {
			file, err = nil, fmt.Errorf("%s: %s", p.scan.Pos(), string(e))
		}
	}()
	p.want("syntax", "=", `"proto3"`, ";", "package")
	p.file.Package = proto.String(p.name())
	for {
		switch token := p.token(); token {
		case ".":
			*p.file.Package += "." + p.name()
		case ";":
			p.messages()
			return p.file, nil
		default:
			panic(parseError("package: unexpected " + token))
		}
	}
}

func (p *protoParser) messages() {
	for token := p.token(); token != ""; token = p.token() {
		if token != "message" {
			panic(parseError("unexpected " + token))
		}
		m := &descriptorpb.DescriptorProto{Name: proto.String(p.name())}
		p.want("{")
		for token := p.token(); token != "}"; token = p.token() {
			p.field(m, token)
		}
		p.file.MessageType = append(p.file.MessageType, m)
	}
}

// field reads one field, whose first token was read.
func (p *protoParser) field(m *descriptorpb.DescriptorProto, token string) {
	f := &descriptorpb.FieldDescriptorProto{Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	switch token {
	case "repeated":
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		f.Type = p.scalar(p.token())
	case "map":
		p.want("<", "string", ",", "string", ">")
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
	default:
		f.Type = p.scalar(token)
	}
	f.Name = proto.String(p.name())
	p.want("=")
	n, err := strconv.ParseInt(p.token(), 10, 32)
	if err != nil {
		panic(parseError(err.Error()))
	}
	f.Number = proto.Int32(int32(n))
	p.want(";")
	if f.GetType() == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE {
		entry := mapEntry(f.GetName())
		f.TypeName = proto.String("." + p.file.GetPackage() + "." + m.GetName() + "." + entry.GetName())
		m.NestedType = append(m.NestedType, entry)
	}
	m.Field = append(m.Field, f)
}

// mapEntry returns the message that a map<string, string> stands for.
func mapEntry(field string) *descriptorpb.DescriptorProto {
	text := func(name string, number int32) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()}
	}
	return &descriptorpb.DescriptorProto{
		Name:    proto.String(strings.ToUpper(field[:1]) + field[1:] + "Entry"),
		Field:   []*descriptorpb.FieldDescriptorProto{text("key", 1), text("value", 2)},
		Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
	}
}

func (p *protoParser) scalar(token string) *descriptorpb.FieldDescriptorProto_Type {
	switch token {
	case "bytes":
		return descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum()
	case "string":
		return descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	case "uint32":
		return descriptorpb.FieldDescriptorProto_TYPE_UINT32.Enum()
	case "uint64":
		return descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum()
	case "fixed64":
		return descriptorpb.FieldDescriptorProto_TYPE_FIXED64.Enum()
	}
	panic(parseError("unknown type " + token))
}

// token returns the next token, "" at the end.
func (p *protoParser) token() string {
	if p.scan.Scan() == scanner.EOF {
		return ""
	}
	return p.scan.TokenText()
}

func (p *protoParser) name() string {
	if p.scan.Scan() != scanner.Ident {
		panic(parseError("want a name, have " + p.scan.TokenText()))
	}
	return p.scan.TokenText()
}

func (p *protoParser) want(tokens ...string) {
	for _, want := range tokens {
		if have := p.token(); have != want {
			panic(parseError("want " + want + ", have " + have))
		}
	}
}

func TestProtoParserIsStrict(t *testing.T) {
	const head = "syntax = \"proto3\"; package a.b;\n"
	if f, err := parseProto(head + "message M { repeated string s = 1; map<string, string> m = 2; } // end"); err != nil ||
		f.GetPackage() != "a.b" || len(f.MessageType) != 1 || len(f.MessageType[0].Field) != 2 {
		t.Error(f, err)
	}
	for _, bad := range []string{"", "syntax = \"proto2\"; package a;", "syntax = \"proto3\";", head + "enum E {}", head + "message M",
		head + "message M {", head + "message M { int32 a = 1; }", head + "message M { optional string a = 1; }",
		head + "message M { string a = 1 }", head + "message M { string a = x; }", head + "message M { string a; }",
		head + "message M { map<string, bytes> a = 1; }", head + "message M { string a = 1 [deprecated=true]; }",
		head + "message M { message N {} }", head + "message M { reserved 1; }", head + "message M {} }"} {
		if f, err := parseProto(bad); err == nil {
			t.Errorf("%q is read as %v", bad, f)
		}
	}
}
