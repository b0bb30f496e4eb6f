// Package log makes events durable: a segmented write-ahead log on
// github.com/tidwall/wal, with the checksums, the lock, the repair, the search
// and the reading beside a live writer that it leaves to its users.
//
// It is called log because that is what it is. A program that also uses the
// standard library's log imports this one as eventlog.
//
// # Promises
//
//   - What Append returned for is there after every crash: of the process, of
//     the machine, of its power.
//   - A batch is there whole or not at all.
//   - Nothing wrong is ever read. Every byte that comes out was verified, with
//     its place in the log.
//   - A tail that a crash left torn is cut off by Open, after a copy of it was
//     put into quarantine/. It was never acknowledged.
//   - Damage to what was acknowledged is a *CorruptError, which names the file,
//     the byte and the record; Open then changes nothing.
//   - After a write or a sync has failed nothing more is written: nobody knows
//     what the disk holds. Reads of what was durable go on. Open finds out.
//   - What is damaged can be left behind: Repair writes a sound log from what
//     can be read and what peers have, and names what nobody has.
//   - Whoever reads sees durable records only.
//   - Opening reads one segment, however long the history.
//
// # Record
//
// The engine stores payloads, each after its length as a varint. A payload is
//
//	+--------+---------+-------+----------+----------+---------------------+
//	| crc32c | version | flags | distance | received | contents            |
//	+--------+---------+-------+----------+----------+---------------------+
//	 0        4         5       6          10         16
//
//	crc32c    of all that follows, little endian as all numbers here. The CRC
//	          register starts at the record's index, so a record that verifies
//	          in another place of the log does not exist, and a copy of a whole
//	          segment does verify.
//	version   1
//	flags     1: the contents are a snapshot, else an event
//	          2: the last record of its batch
//	distance  back to the newest record that was durable when this one was
//	          written, at least 1. So a record proves others: when one of them
//	          cannot be read, that is damage and not a torn tail.
//	received  when it was appended here, Unix milliseconds, 6 bytes, never less
//	          than in the record before
//	contents  of an event: its bytes as its origin made them
//	          of a snapshot: count uvarint, count times (LogID, sequence
//	          uvarint) sorted by log, then the state. The list says what had
//	          been appended before.
//
// No payload is empty, so a length of zero always means that nothing was
// written there.
//
// # Segment
//
//	  base                                                    base + n
//	+----------+-------+-------+-------+ ... +-------+- - - - -+
//	| snapshot | event | event | event |     | event |  zeros  |
//	+----------+-------+-------+-------+ ... +-------+- - - - -+
//	           '---- a batch ----------'      end of batch
//
// A segment begins with a snapshot of everything before it, so it can be
// folded, verified and searched by itself. Batches never span two segments.
// The open segment is allocated ahead in steps, so that an append does not
// change the size of the file and a sync writes no metadata; sealing gives the
// rest back. The engine never begins a segment by itself.
//
// # Directory
//
//	LOCK                 held for the life of a Log (flock)
//	identity.json        node, cluster, LogID
//	MANIFEST             the segments that must be there, and their sizes
//	CLEAN                the last record, from Close until the next Open
//	cluster-state.json   the newest checkpoint, see WriteCheckpoint
//	wal/<20 digits>      segments, named by the index of their first record
//	quarantine/          torn tails that Open cut off, and what Repair could not
//	                     read, with salvage.json
//
// # Crash points
//
// Small files are replaced by writing <name>.tmp, syncing it, renaming it and
// syncing the directory: a crash leaves the old file or the new one.
//
//	first Open   identity.json, MANIFEST durable, then wal/. No event before.
//	Append       one write, one sync. A crash leaves a prefix of the write, or
//	             with the power gone any part of its sectors: a torn tail.
//	cut          1. the old file is cut to its records and synced
//	             2. the new file is created, wal/ synced
//	             3. MANIFEST is replaced; until then Open removes the new file
//	             4. only now is the snapshot written, with the batch
//	             A crash before that batch is whole: Open drops the new file and
//	             goes on in the old one.
//	removal      MANIFEST without the segment, then the file. A crash between
//	             the two: Open removes the file.
//	Open         quarantine/ durable, then the tail is cut, what no later record
//	             proves durable is written again, all is synced; then the
//	             directory. A crash anywhere: the next Open does it again.
//	Repair       another directory, in which MANIFEST comes last: until then it
//	             is not a log. The damaged one is only read.
//	Close        the open file is cut to its records and synced, then CLEAN.
//
// # Power loss
//
// A name is durable when its directory was synced, contents when their file was,
// and neither says anything of the other. So:
//
//   - Nothing is written to a segment whose name is not durable in wal/.
//   - identity.json and MANIFEST are durable before the first event; MANIFEST
//     before the first record of a segment and before an old one is unlinked.
//   - What is renamed was synced; the directory is synced before anybody is told.
//   - A copy in quarantine/ is durable, name and contents, before the tail that
//     it holds is cut off.
//
// The crash tests play every prefix of a history's calls against these rules;
// DESIGN.md beside this file has a table of all faults, answers and tests.
//
// # What cannot be known
//
// When the machine stops between two appends and exactly the sectors of the
// last batch are lost, that is the picture of a write that was never
// acknowledged, in this log as in every other; after a clean Close it is
// damage. A last batch that is all there and has been changed is told apart.
//
// # Concurrency
//
// A Log is safe for concurrent use. It starts no goroutine unless
// Options.Retention asks for one, which Close ends.
package log
