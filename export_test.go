package clusterkit

import "github.com/skshohagmiah/clusterkit/projection"

// NewDetached returns a node that only answers queries about a given cluster.
func NewDetached(id string, cluster *Cluster) *ClusterKit {
	ck := &ClusterKit{opt: Options{NodeID: id}, config: cluster.Config}
	ck.current.Store(&published{knowledge: &knowledge{cluster: cluster}, changed: make(chan struct{})})
	return ck
}

// ProjectionConfig is how the projection sees a configuration.
func ProjectionConfig(c Config) projection.Config { return c.view() }
