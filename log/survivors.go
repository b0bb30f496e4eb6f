package log

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Hole is a place in a log where records cannot be read.
type Hole struct {
	From  uint64 `json:"from"`         // index of the first record that is lost
	To    uint64 `json:"to,omitempty"` // index of the first behind it that is not; 0 when none follows
	Parts []Part `json:"parts"`        // of files, in order
}

// Part is a stretch of a file that cannot be read.
type Part struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`          // 0 when the file is missing
	Reason string `json:"reason"`         // what is wrong with it
	Kept   string `json:"kept,omitempty"` // where the bytes are now, in quarantine/
}

// survivors reads a damaged log from end to end.
type survivors struct {
	*Reader
	record func(*Record) error // for each record that can be read, in order; it is valid during the call
	hole   func(Hole) error    // before the first record behind each place where one cannot, and at the end
	open   *Hole               // that was met and whose end is not known
}

func (s *survivors) read() error {
	for stalled := 0; ; {
		rec, err := s.Reader.read(false)
		var corrupt *CorruptError
		switch {
		case err == nil:
			if err = s.close(rec.Index, rec.File, rec.Offset); err == nil {
				err = s.record(rec)
			}
			if err != nil {
				return err
			}
			stalled = 0
		case errors.As(err, &corrupt):
			s.damaged(corrupt)
			if err := s.Skip(); err != nil {
				return err
			}
		case errors.Is(err, ErrCompacted) && stalled < 100:
			if err := s.Seek(0); err != nil { // a peer that is running
				return err
			}
			stalled++
		case err == io.EOF:
			if torn := s.Torn(); s.open == nil && torn.Damaged != nil {
				s.damaged(torn.Damaged)
			}
			return s.close(0, "", 0)
		default:
			return err
		}
	}
}

// damaged takes note of damage.
func (s *survivors) damaged(c *CorruptError) {
	if s.open == nil {
		s.open = &Hole{From: c.Index}
	}
	p := Part{File: c.File, Offset: c.Offset, Reason: c.Reason}
	if strings.HasSuffix(p.File, archiveSuffix) {
		p.Offset = 0 // of what the file holds, which is the file as a whole
	}
	if n := len(s.open.Parts); n > 0 {
		if s.open.Parts[n-1].File == p.File {
			return
		}
		s.open.Parts[n-1].until("", 0)
	}
	s.open.Parts = append(s.open.Parts, p)
}

// close ends the open hole, if there is one, at a record.
func (s *survivors) close(to uint64, file string, off int64) error {
	if s.open == nil {
		return nil
	}
	h := *s.open
	s.open, h.To = nil, to
	h.Parts[len(h.Parts)-1].until(file, off)
	return s.hole(h)
}

// until sets how long a part is that ends at a place in the same file, or with
// its file.
func (p *Part) until(file string, off int64) {
	if file == p.File && !strings.HasSuffix(file, archiveSuffix) {
		p.Bytes = off - p.Offset
	} else if info, err := os.Stat(p.File); err == nil && info.Mode().IsRegular() {
		p.Bytes = max(0, info.Size()-p.Offset)
	}
}

// keptAs is how quarantine/ names the bytes of a part.
func (p *Part) keptAs() string {
	return fmt.Sprintf("%s@%d.damaged", filepath.Base(p.File), p.Offset)
}
