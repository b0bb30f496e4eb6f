package coordination

import (
	"fmt"
	"math"
	"time"

	"github.com/skshohagmiah/clusterkit/projection"
)

// defaultRemoveAfter is for how long an operator may be on holiday.
const defaultRemoveAfter = 72 * time.Hour

func removeAfter(d time.Duration) int64 {
	if d < 0 {
		return math.MaxInt64
	}
	return millis(d, defaultRemoveAfter)
}

// remove finds a node that has been failed for so long that nobody waits for
// it any more. It returns when the next one will be due. More than half of the
// members must be up, also where there are two of them: each side of a long
// split would remove the other one, and both would stop when it ends.
func (c *Coordination) remove(cluster *projection.Cluster, now int64) (Decision, int64) {
	next := Never
	if up, members := turnout(cluster); c.removeAfter == math.MaxInt64 || 2*up <= members {
		return Decision{}, next
	}
	for i := range cluster.Nodes {
		n := &cluster.Nodes[i]
		if n.Status != projection.StatusFailed {
			continue
		}
		due := c.downSince(n.ID, n.Incarnation, now) + c.removeAfter
		if now < due {
			next = min(next, due)
			continue
		}
		if ok, again := c.brake.mayLose(cluster, n.ID, now); !ok {
			next = min(next, again)
			continue
		}
		return Decision{Remove: n.ID, Term: cluster.Term, Cause: n.Cause(),
			Reason: fmt.Sprintf("failed for %v", time.Duration(now-due+c.removeAfter)*time.Millisecond)}, now
	}
	return Decision{}, next
}
