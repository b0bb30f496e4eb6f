package events

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// The kinds of registers: what stands before the first slash of a register.
const (
	KindNode        = "node"
	KindAccusation  = "accusation"
	KindAdmin       = "admin"
	KindPartition   = "partition"
	KindCoordinator = "coordinator"
	KindConfig      = "config"
	KindValue       = "value"
	KindLog         = "log"
	KindFloor       = "floor"
	KindCollected   = "collected"
)

// The registers that have no key of their own.
const (
	CoordinatorRegister = KindCoordinator
	ConfigRegister      = KindConfig + "/cluster"
)

// NodeRegister returns the register that node id alone writes.
func NodeRegister(id string) string { return KindNode + "/" + id }

// AccusationRegister returns the register in which other members say that node
// id is suspected or failed.
func AccusationRegister(id string) string { return KindAccusation + "/" + id }

// AdminRegister returns the register in which operators order that node id is
// drained or removed.
func AdminRegister(id string) string { return KindAdmin + "/" + id }

// PartitionRegister returns the register of partition p.
func PartitionRegister(p int) string { return KindPartition + "/" + strconv.Itoa(p) }

// ValueRegister returns the register of an application key.
func ValueRegister(key string) string { return KindValue + "/" + key }

// LogRegister returns the register that says whose log id is.
func LogRegister(id LogID) string { return KindLog + "/" + id.String() }

// FloorRegister returns the register of the version above which registers of a
// kind are written.
func FloorRegister(kind string) string { return KindFloor + "/" + kind }

// CollectedRegister returns the register that the event id, and no other, may
// write to say which values are forgotten.
func CollectedRegister(id ID) string { return KindCollected + "/" + id.String() }

// GoneRegister returns the register in which a [Collection] says that these nodes
// are forgotten: whoever says the same writes the same register, and what two
// branches of a log that forked say differently stands in two.
func GoneRegister(nodes []string) string {
	h := sha256.New()
	for _, text := range nodes {
		h.Write(append([]byte(text), '\n'))
	}
	return KindCollected + "/" + hex.EncodeToString(h.Sum(nil)[:16])
}

// SplitRegister returns the kind and the key of a register: "node", "n1".
func SplitRegister(register string) (kind, key string) {
	kind, key, _ = strings.Cut(register, "/")
	return kind, key
}
