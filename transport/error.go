package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Errors of a Client, beside the *Error that a node answers with. They are
// found with errors.Is.
var (
	// ErrUnreachable says that no connection could be made, or that it broke
	// before an answer came.
	ErrUnreachable = errors.New("unreachable")
	// ErrTimeout says that no answer came in time. It comes together with
	// context.DeadlineExceeded.
	ErrTimeout = errors.New("no answer in time")
	// ErrWrongNode says that another node than the intended one, or one of
	// another cluster, is at the address.
	ErrWrongNode = errors.New("another node is at this address")
	// ErrBusy says that the node is there and cannot answer now.
	ErrBusy = errors.New("the node is busy")
	// ErrBadResponse says that something answered that is not a node of this
	// cluster, or that its answer was cut off, too large, or not signed.
	ErrBadResponse = errors.New("not an answer of a node")
)

// ErrorCode says what is wrong with a request. The set is closed: a program
// may switch over it.
type ErrorCode string

// The codes, and the status that each comes with.
const (
	ErrorBadRequest       ErrorCode = "bad_request"            // 400: not understood, or beyond a limit inside a message
	ErrorUnauthorized     ErrorCode = "unauthorized"           // 401: no signature, a wrong, an old or a used one
	ErrorNotFound         ErrorCode = "not_found"              // 404
	ErrorMethodNotAllowed ErrorCode = "method_not_allowed"     // 405
	ErrorTimeout          ErrorCode = "timeout"                // 408: the body did not come in time
	ErrorWrongCluster     ErrorCode = "wrong_cluster"          // 409: this node belongs to another cluster
	ErrorConfigMismatch   ErrorCode = "config_mismatch"        // 409: the settings differ; Fields names them
	ErrorDuplicateNode    ErrorCode = "duplicate_node"         // 409: another living node has this id
	ErrorRemoved          ErrorCode = "removed"                // 410: the node was removed from the cluster
	ErrorCompacted        ErrorCode = "compacted"              // 410: the history asked for is no longer kept
	ErrorTooLarge         ErrorCode = "too_large"              // 413: the body is beyond the limit
	ErrorMediaType        ErrorCode = "unsupported_media_type" // 415: neither JSON nor protobuf
	ErrorWrongNode        ErrorCode = "wrong_node"             // 421: this is not the node that the request is meant for
	ErrorProtocol         ErrorCode = "protocol"               // 426: another version of the conversation
	ErrorInternal         ErrorCode = "internal"               // 500
	ErrorBusy             ErrorCode = "busy"                   // 503: too many requests in flight
	ErrorUnavailable      ErrorCode = "unavailable"            // 503: the node cannot do this now
)

// Error is an answer other than success. A node sends it as JSON:
//
//	{"error":{"code":"config_mismatch","message":"...","fields":{"partition_count":"16 here, 32 there"}}}
type Error struct {
	Status  int               `json:"-"` // HTTP status
	Code    ErrorCode         `json:"code"`
	Message string            `json:"message"`          // for people
	Fields  map[string]string `json:"fields,omitempty"` // what is wrong, by the name of a field
}

// Errorf returns an Error without fields.
func Errorf(status int, code ErrorCode, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d): %s", e.Code, e.Status, e.Message) }

// Is makes errors.Is find ErrWrongNode and ErrBusy.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrWrongNode:
		return e.Code == ErrorWrongNode || e.Code == ErrorWrongCluster
	case ErrBusy:
		return e.Code == ErrorBusy || e.Code == ErrorUnavailable
	}
	return false
}

// envelope is the JSON form of an answer that is an Error.
type envelope struct {
	Error *Error `json:"error"`
}

func (e *Error) encode() []byte {
	b, err := json.Marshal(envelope{e})
	if err != nil {
		b = []byte(`{"error":{"code":"internal","message":"an error that cannot be told"}}`)
	}
	return append(b, '\n')
}

// asError returns what to tell the peer about err. Only what is itself an
// *Error was meant for it. One that is wrapped may have come from a third
// node; it stays inside, as everything else does.
func asError(err error) *Error {
	if e, ok := err.(*Error); ok && e != nil && e.Status >= 400 && e.Status <= 599 {
		return e
	}
	return Errorf(http.StatusInternalServerError, ErrorInternal, "internal error; this node's log has more")
}
