package transport_test

import (
	"fmt"
	"os"

	"github.com/skshohagmiah/clusterkit/events"
	"github.com/skshohagmiah/clusterkit/transport"
)

// What a probe looks like to people. The same with curl:
//
//	curl -d '{"cluster":"my-app", ...}' -H 'Content-Type: application/json' http://node-2:8080/probe
func ExampleMarshal() {
	b, err := transport.Marshal(transport.JSON, &transport.ProbeRequest{Header: transport.Header{Cluster: "my-app",
		Config: 42, From: "node-1", FromLog: events.LogID{15: 1}, To: "node-2"}})
	if err != nil {
		fmt.Println(err)
	}
	os.Stdout.Write(b)
	// Output:
	// {"cluster":"my-app","config":"42","from":"node-1","from_log":"00000000000000000000000001","to":"node-2"}
}

func ExampleReadToken() {
	fmt.Println("Authorization: Bearer " + transport.ReadToken("correct horse battery staple", "my-app"))
	// Output:
	// Authorization: Bearer b0060501ed289576ae46aa561274518f4b78421b03f516a2c28437cf2b833576
}
