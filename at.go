package clusterkit

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/skshohagmiah/clusterkit/replay"
	"github.com/skshohagmiah/clusterkit/transport"
)

// clusterAt returns the state at a past point, folded from this node's own log
// by the same code as the replay tool.
func (ck *ClusterKit) clusterAt(ctx context.Context, text string) (*Cluster, error) {
	point, err := replay.Grammar{Now: time.Now()}.Point(text)
	if err != nil {
		return nil, badPoint(err)
	}
	source, err := replay.Open(ctx, ck.opt.DataDir)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	moment, err := source.StateAt(ctx, point, replay.Natural)
	if err != nil {
		return nil, badPoint(err)
	}
	if len(moment.Damage) > 0 {
		return nil, transport.Errorf(http.StatusInternalServerError, transport.ErrorInternal,
			"the log is damaged before that point: %v", &moment.Damage[0])
	}
	return moment.State.Cluster(), nil
}

// badPoint tells the caller what is wrong with the point, and nothing of what
// else may have gone wrong.
func badPoint(err error) error {
	var bad *replay.PointError
	switch {
	case errors.Is(err, replay.ErrNotKept):
		return transport.Errorf(http.StatusGone, transport.ErrorCompacted, "%v", err)
	case errors.Is(err, replay.ErrBeyond), errors.As(err, &bad):
		return transport.Errorf(http.StatusBadRequest, transport.ErrorBadRequest, "at: %v", err)
	}
	return err
}
