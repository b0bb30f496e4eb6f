package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request and of its answer.
const (
	headerSignature = "Ck-Signature"
	schemeSigned    = "CK1 "
	schemeToken     = "Bearer "
)

// window is how far the time of a signature may be from this node's clock.
const window = 60 * time.Second

// keyring holds the secrets: the first signs, all verify. An empty one neither
// signs nor verifies.
type keyring [][]byte

// newKeyring reads secrets separated by newlines.
func newKeyring(secrets string) (ring keyring) {
	for line := range strings.SplitSeq(secrets, "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			ring = append(ring, []byte(line))
		}
	}
	return ring
}

// signature is what a signed request carries:
//
//	6 bytes  time, Unix milliseconds, big endian
//	10 bytes nonce
//	32 bytes HMAC-SHA256 of the request
type signature struct {
	raw [48]byte
	key []byte // that made it
}

const stampSize = 16 // time and nonce

// sign returns the signature of a request.
func (k keyring) sign(method, uri string, body []byte, now time.Time) *signature {
	s := &signature{key: k[0]}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(s.raw[:6], ms[2:])
	rand.Read(s.raw[6:stampSize])
	copy(s.raw[stampSize:], s.mac(method, uri, sha256.Sum256(body)))
	return s
}

// mac computes what the last 32 bytes must be. Method and URI have no newline
// in them, and what follows has a fixed length, so no two requests give the
// same input. The cluster, the sender and the receiver are in the body.
func (s *signature) mac(method, uri string, body [32]byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("clusterkit/1 request\n" + method + "\n" + uri + "\n"))
	h.Write(s.raw[:stampSize])
	h.Write(body[:])
	return h.Sum(nil)
}

// header is the form of s in a request.
func (s *signature) header() string {
	return schemeSigned + base64.RawURLEncoding.EncodeToString(s.raw[:])
}

// parseSignature reads what header returns.
func parseSignature(header string) (*signature, bool) {
	text, ok := strings.CutPrefix(header, schemeSigned)
	s := new(signature)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(len(s.raw)) { // so that nothing in it can be skipped
		return nil, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(s.raw[:], []byte(text))
	return s, err == nil && n == len(s.raw)
}

func (s *signature) time() time.Time {
	var ms [8]byte
	copy(ms[2:], s.raw[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}

// answer signs an answer. It covers the signature of the request, so an answer
// cannot be given to another request.
func (s *signature) answer(status int, body []byte) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("clusterkit/1 response\n" + strconv.Itoa(status) + "\n"))
	h.Write(s.raw[:])
	sum := sha256.Sum256(body)
	h.Write(sum[:])
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// verifies reports whether an answer was signed by who has our secret.
func (s *signature) verifies(header string, status int, body []byte) bool {
	return hmac.Equal([]byte(header), []byte(s.answer(status, body)))
}

// verify returns the signature of a request whose body has this hash.
func (k keyring) verify(r *http.Request, body []byte, now time.Time) (*signature, error) {
	s, ok := parseSignature(r.Header.Get("Authorization"))
	if !ok {
		return nil, unauthorized("the request is not signed")
	}
	sum := sha256.Sum256(body)
	for _, key := range k {
		s.key = key
		if !hmac.Equal(s.mac(r.Method, r.URL.RequestURI(), sum), s.raw[stampSize:]) {
			continue
		}
		if off := s.time().Sub(now); off > window || off < -window {
			return nil, unauthorized("the signature's time is %v off this node's clock, at most %v", off.Round(time.Millisecond), window)
		}
		return s, nil
	}
	return nil, unauthorized("the signature is wrong; do both nodes have the same secret?")
}

func unauthorized(format string, args ...any) *Error {
	return Errorf(http.StatusUnauthorized, ErrorUnauthorized, format, args...)
}

// ReadToken returns the bearer token with which GET /cluster and GET /events
// may be read: the HMAC-SHA256 of "clusterkit/1 read\n" and the name of the
// cluster, in hexadecimal. It is good for nothing else and valid as long as the
// secret. Of several secrets, separated by newlines, the first counts; a server
// accepts the tokens of all. A shell makes it with
//
//	printf 'clusterkit/1 read\nmy-app' | openssl dgst -sha256 -hmac "$SECRET" -hex
func ReadToken(secret, cluster string) string {
	ring := newKeyring(secret)
	if len(ring) == 0 {
		return ""
	}
	return readToken(ring[0], cluster)
}

func readToken(key []byte, cluster string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("clusterkit/1 read\n" + cluster))
	return hex.EncodeToString(h.Sum(nil))
}

// authorize verifies the signature of a message, when there is a secret. One
// may be good only once; repeating a sync or a probe changes nothing.
func (s *server) authorize(c *call, body []byte, once bool) error {
	if len(s.ring) == 0 {
		return nil
	}
	now := time.Now()
	signed, err := s.ring.verify(c.r, body, now)
	if err != nil {
		return err
	}
	c.signed = signed
	if once {
		return s.used.use([stampSize]byte(signed.raw[:stampSize]), now)
	}
	return nil
}

// authorizeRead lets people read with a token, and nodes with a signature.
func (s *server) authorizeRead(c *call) error {
	if len(s.ring) == 0 {
		return nil
	}
	header := c.r.Header.Get("Authorization")
	token, ok := strings.CutPrefix(header, schemeToken)
	if !ok {
		signed, err := s.ring.verify(c.r, nil, time.Now())
		c.signed = signed
		if err != nil {
			c.w.Header().Set("WWW-Authenticate", "Bearer")
		}
		return err
	}
	cluster := s.backend.Identity().Cluster
	for _, key := range s.ring {
		if hmac.Equal([]byte(token), []byte(readToken(key, cluster))) {
			return nil
		}
	}
	c.w.Header().Set("WWW-Authenticate", "Bearer")
	return unauthorized("the token is wrong")
}
