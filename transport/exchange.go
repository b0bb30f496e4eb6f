package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/skshohagmiah/clusterkit/events"
)

func (s *server) join(c *call) error {
	return c.guarded(s.heavy, func() error {
		var req JoinRequest
		form, err := s.receive(c, MaxJoinBody, &req)
		if err != nil {
			return err
		}
		resp, err := s.backend.Join(c.r.Context(), &req)
		if err != nil {
			return err
		}
		answer := *resp
		answer.Members = sendable(resp.Members)
		return s.send(c, form, &req.Header, &answer)
	})
}

func (s *server) sync(c *call) error {
	return c.guarded(s.heavy, func() error {
		var req SyncRequest
		form, err := s.receive(c, MaxSyncBody, &req)
		if err != nil {
			return err
		}
		resp, err := s.backend.Sync(c.r.Context(), &req)
		if err != nil {
			return err
		}
		answer := *resp
		if answer.Code == CodeEqual {
			answer.Digest = events.Digest{} // the caller has it
		}
		return s.send(c, form, &req.Header, &answer)
	})
}

func (s *server) probe(c *call) error {
	return c.guarded(s.light, func() error {
		var req ProbeRequest
		form, err := s.receive(c, MaxProbeBody, &req)
		if err != nil {
			return err
		}
		resp, err := s.backend.Probe(c.r.Context(), &req)
		if err != nil {
			return err
		}
		answer := *resp
		if answer.Equal {
			answer.Digest = events.Digest{} // the caller has it
		}
		return s.send(c, form, &req.Header, &answer)
	})
}

// sendable leaves out members that a strict reader would refuse: one bad
// record must not keep others from joining.
func sendable(all Members) Members {
	good := make(Members, 0, min(len(all), MaxMembers))
	for i := range all {
		if len(good) < MaxMembers && all[i].check() == nil {
			good = append(good, all[i])
		}
	}
	return good
}

// receive reads a message and refuses it, cheapest check first, when it is not
// for this node. The order is part of the contract: nothing is decoded before
// its signature is verified, and nothing is believed before it is decoded.
func (s *server) receive(c *call, limit int64, m Message) (Form, error) {
	form, ok := formOf(c.r.Header.Get("Content-Type"))
	if !ok || c.r.Header.Get("Content-Encoding") != "" {
		return 0, Errorf(http.StatusUnsupportedMediaType, ErrorMediaType,
			"the body must be plain %s or %s", mediaJSON, mediaProtobuf)
	}
	body, err := c.readBody(limit)
	if err != nil {
		return 0, err
	}
	join, _ := m.(*JoinRequest)
	if err := s.authorize(c, body, join != nil); err != nil {
		return 0, err
	}
	if err := Unmarshal(form, body, m); err != nil {
		return 0, Errorf(http.StatusBadRequest, ErrorBadRequest, "%v", err)
	}
	if err := s.admit(m.header(), join); err != nil {
		return 0, err
	}
	return answerForm(c.r, form), nil
}

// answerForm is what the caller accepts, or else the form it speaks itself.
func answerForm(r *http.Request, asked Form) Form {
	accept := r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, mediaProtobuf):
		return Protobuf
	case strings.Contains(accept, mediaJSON):
		return JSON
	}
	return asked
}

// readBody reads a body of at most limit bytes. What has not arrived takes no
// memory, whatever Content-Length says.
func (c *call) readBody(limit int64) ([]byte, error) {
	tooLarge := Errorf(http.StatusRequestEntityTooLarge, ErrorTooLarge, "the body is larger than %d bytes", limit)
	if c.r.ContentLength > limit {
		c.hangUp()
		return nil, tooLarge
	}
	// A server of somebody else's may have no time-outs.
	_ = c.control.SetReadDeadline(time.Now().Add(readTimeout))
	body, err := readLimited(c.r.Body, c.r.ContentLength, limit)
	c.received = len(body)
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
		c.hangUp()
		return nil, tooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		c.hangUp()
		return nil, Errorf(http.StatusRequestTimeout, ErrorTimeout, "the body did not come within %v", readTimeout)
	case err != nil:
		return nil, Errorf(http.StatusBadRequest, ErrorBadRequest, "the body was cut off: %v", err)
	}
	// With a deadline on the connection net/http would end the request's
	// context when it passes, in the middle of the backend's work.
	_ = c.control.SetReadDeadline(time.Time{})
	return body, nil
}

// hangUp makes net/http close the connection soon after the answer, instead of
// waiting for the rest of the body, and close it gently: a reset would destroy
// the answer while the caller is still writing. What sets that in motion is a
// MaxBytesReader that has had too much.
func (c *call) hangUp() {
	c.w.Header().Set("Connection", "close")
	_ = c.control.SetReadDeadline(time.Now().Add(hangUpAfter))
	much := io.NopCloser(strings.NewReader("x"))
	_, _ = http.MaxBytesReader(c.w.ResponseWriter, much, 0).Read(make([]byte, 1))
}

// admit refuses what is meant for another cluster or another node. A join says
// what its settings are, and may leave it to this node to name itself.
func (s *server) admit(h *Header, join *JoinRequest) error {
	id := s.backend.Identity()
	if h.Cluster != id.Cluster {
		return Errorf(http.StatusConflict, ErrorWrongCluster, "this node belongs to cluster %q, the request to %q", id.Cluster, h.Cluster)
	}
	if h.To != id.Node && (join == nil || h.To != "") {
		return Errorf(http.StatusMisdirectedRequest, ErrorWrongNode, "this is node %q, the request is for %q", id.Node, h.To)
	}
	if h.Config != id.Config {
		e := Errorf(http.StatusConflict, ErrorConfigMismatch, "the settings of this node and of the request differ")
		e.Fields = map[string]string{"config": differ(id.Config, h.Config)}
		if join != nil {
			addDifferences(e.Fields, &id.Settings, &join.Settings)
		}
		return e
	}
	return nil
}

// addDifferences names the settings that two nodes do not agree on.
func addDifferences(fields map[string]string, here, there *events.ClusterConfig) {
	if here.PartitionCount != there.PartitionCount {
		fields["partition_count"] = differ(here.PartitionCount, there.PartitionCount)
	}
	if here.ReplicationFactor != there.ReplicationFactor {
		fields["replication_factor"] = differ(here.ReplicationFactor, there.ReplicationFactor)
	}
}

func differ(here, there any) string { return fmt.Sprintf("%v here, %v in the request", here, there) }

// send answers with a message. To and Config are left out of its header: it
// goes to whoever asked, and one with another Config would not have got it.
func (s *server) send(c *call, form Form, to *Header, m Message) error {
	id, h := s.backend.Identity(), m.header()
	h.Cluster, h.From, h.FromLog, h.To, h.Config = id.Cluster, id.Node, id.Log, "", 0
	if h.Wall == 0 {
		h.Wall = time.Now().UnixMilli()
	}
	body, err := Marshal(form, m)
	if err != nil {
		return fmt.Errorf("answer to %s: %w", to.From, err)
	}
	if len(body) > maxAnswer(m) {
		return fmt.Errorf("answer to %s of %d bytes, at most %d", to.From, len(body), maxAnswer(m))
	}
	return c.reply(http.StatusOK, form.ContentType(), body)
}
