package clusterkit

// NewDetached returns a node that only answers queries about a given cluster.
func NewDetached(id string, cluster *Cluster) *ClusterKit {
	ck := &ClusterKit{opt: Options{NodeID: id}, config: cluster.Config}
	ck.current.Store(&published{knowledge: &knowledge{cluster: cluster}, changed: make(chan struct{})})
	return ck
}
