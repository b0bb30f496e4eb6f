package log

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
)

// cleanMark is the file CLEAN, which Close writes and Open removes. What it
// says stays true for ever: the records up to Last were durable. So a log that
// does not have them is damaged, even where the damage looks like a write that
// a crash cut off.
type cleanMark struct {
	Last uint64 `json:"last"`
}

func (c cleanMark) write(d disk, dir string) error {
	b, err := seal(c)
	if err != nil {
		return err
	}
	if err := writeFile(d, filepath.Join(dir, cleanName), b); err != nil {
		return err
	}
	return d.syncDir(dir)
}

// readClean returns the last index that the mark vouches for, 0 when there is
// none. A mark that cannot be read vouches for nothing.
func readClean(dir string, logger *slog.Logger) uint64 {
	var c cleanMark
	if err := readSealed(filepath.Join(dir, cleanName), &c); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			logger.Warn("the mark of a clean close cannot be read and is not used", "dir", dir, "err", err)
		}
		return 0
	}
	return c.Last
}
