// Package transport is the conversation between nodes, and between a node and
// people, over HTTP on one port.
package transport
