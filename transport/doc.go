// Package transport is the conversation between nodes, and between a node and
// people: HTTP/1.1 on one port. It has the messages, the server's handler and
// the client. What a node knows and decides is behind the [Backend] that it
// gives to [NewHandler]; this package holds no state of the cluster.
//
//	GET  /health   200, or 503 with the reasons
//	GET  /ready    200, or 503 with why not
//	GET  /cluster  the state as JSON, ETag = digest; ?at=<point> for a past one
//	GET  /events   ?after=<vector>&type=a,b&node=&limit=; JSON lines, or a live
//	               stream for Accept: text/event-stream
//	GET  /metrics  what ServerOptions.Metrics answers
//	POST /join     JoinRequest  -> JoinResponse    a node introduces itself
//	POST /sync     SyncRequest  -> SyncResponse    exchange of event ranges
//	POST /probe    ProbeRequest -> ProbeResponse   are you there? can you reach n?
//
// # Messages
//
// Every message has two forms with the same fields: protobuf, which nodes
// speak (testdata/transport.proto describes it), and JSON, in which anything
// can be tried with curl. The form of an answer is what Accept names, or else
// that of the request. A message has exactly one encoding in protobuf: what is
// out of order, twice, zero, longer than need be or left over is refused;
// numbers beyond those of this version are skipped. JSON refuses every name
// that it does not know, and one that comes twice. See [Marshal], [Unmarshal].
//
// Every message begins with a [Header]. That of a request names the cluster,
// the hash of its settings, the sender with its log, and the intended
// receiver. In an answer To is left out, since it goes to whoever asked, and
// Config, since a node with another one does not answer; so is the digest of an
// answer that says it is equal. The [Client] fills them in again. The idle
// conversation of a cluster is one probe a second from each node, so a probe
// and its answer are kept short: 328 bytes with all headers, 472 when signed
// (TestProbeBytes prints them). For that reason nothing carries Date,
// User-Agent or Accept-Encoding.
//
// # What a server promises
//
// A request reaches the backend only after these checks, in this order; each
// takes no memory for what it refuses:
//
//	path, method              404, 405
//	a place among the requests in flight, or at once
//	                          503 busy, with Retry-After
//	media type                415
//	size: declared or counted 413
//	time: 15 s for a body     408
//	signature                 401
//	form, counts, ids         400
//	cluster, settings         409 wrong_cluster, config_mismatch with the fields
//	receiver                  421 wrong_node
//
// Places are 16 for what is heavy (join, sync, cluster?at, events), 256 for
// what is light, 64 for live streams. Bodies are 64 KiB for a join, 4 MiB for a
// sync, 4 KiB for a probe. A server of [NewServer] allows 8 KiB of headers
// (net/http adds 4 of its own), 5 s for them, 15 s for a request, 30 s for an
// answer, 90 s between requests. Whoever trickles a body keeps a place for
// 15 s; mutual TLS or a firewall keeps strangers from doing so, a Secret, which
// is looked at when the body is there, does not.
//
// Every refusal is JSON with a code of a closed set, [ErrorCode]. An error that
// is not meant for others, and a panic, become a 500 without their text; they
// go to the log, a panic also to [Hooks].
//
// A reader of /events that takes nothing for 30 s is cut off; one that takes
// anything may take as long as it likes. A live stream sends a comment every
// 15 s. The id of each event is the cursor after it; among events that are sent
// together in a cluster of more than 32 logs only the last has one. A stream
// resumes from Last-Event-ID and may then repeat events of the last batch, but
// misses none. Cursors travel in headers, so they must stay below 8 KiB, which
// is about 250 logs.
//
// # What a client promises
//
// It follows no redirect, asks no proxy and believes no answer that is not a
// message of the intended node in the right cluster. It reads at most 8 MiB;
// 64 MiB of an answer to a sync that says, before anything large, that it is a
// snapshot; 64 KiB of a refusal. It connects within 2 s, waits 10 s for the
// beginning of an answer and 30 s for its end, unless the context says less.
// It keeps 8 idle connections in all, one to each node, for 15 s; those of
// probes it need not keep at all, see ClientOptions.Brief. A sync or a probe
// whose kept connection turns out to be dead is sent again; a join is not.
//
// Failures tell what they are through errors.Is: [ErrUnreachable],
// [ErrTimeout], [ErrWrongNode], [ErrBusy], [ErrBadResponse]; a refusal is an
// *[Error] with its code. [Result] has one word for each.
//
// # Secrets
//
// With a Secret every message and its answer are signed. A request carries
//
//	Authorization: CK1 base64url( time(6) || nonce(10) || mac(32) )
//
//	mac = HMAC-SHA256(secret, "clusterkit/1 request\n" method "\n" path?query "\n"
//	                          time || nonce || SHA-256(body))
//
// where time is in Unix milliseconds, big endian. Cluster, sender and receiver
// are the first fields of the body, so they are signed with it. The answer,
// refusals after the check included, carries
//
//	Ck-Signature: base64url( HMAC-SHA256(secret, "clusterkit/1 response\n" status "\n"
//	                                     time || nonce || mac || SHA-256(body)) )
//
// and so belongs to one request. The time may be 60 s off the server's clock. A
// signature of a join is good once; repeating a sync or a probe within the 60 s
// changes nothing, as duplicates of events are ignored. Of several secrets,
// separated by newlines, the first signs and all verify, and an answer uses
// that of its request: to change a secret without downtime give all nodes
// "old\nnew", then all "new\nold", then all "new".
//
// /health, /ready and /metrics stay open to all. /cluster and /events, which
// show what is in the cluster, want a signature (of an empty body) or
// "Authorization: Bearer" with the token of [ReadToken].
//
// What is refused before the signature is looked at is not signed, and a
// client believes only unauthorized and busy of it. Whoever has the secret can
// speak as any node. The secret hides nothing: for that, and against the
// capture of a token, there is TLS.
//
// # Concurrency
//
// Handlers and clients are safe for concurrent use. A live stream runs one
// goroutine beside the one of its request, which ends with it; nothing else in
// the package outlives a call, except the connections that net/http keeps
// until Client.Close or their time-out. There is nothing on disk, so a crash at
// any point loses at most the exchanges under way, which begin again.
package transport
