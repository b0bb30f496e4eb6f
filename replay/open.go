package replay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Open opens a LOG: a data directory, a wal directory or a checkpoint. What it
// is, its contents say and not its name.
func Open(ctx context.Context, name string) (*Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if info.IsDir() {
		return openDir(name)
	}
	return openFile(name)
}

func openDir(name string) (*Source, error) {
	d, err := openDirectory(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	s := &Source{Name: name, Kind: KindDirectory, feed: d}
	s.node, s.cluster = identityOf(name)
	s.checkpoint = func() ([]byte, error) {
		b, err := eventlog.ReadCheckpoint(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return b, err
	}
	return s, nil
}

// maxFile bounds what is read into memory at once: a checkpoint is a little
// larger than the largest snapshot.
const maxFile = 2 << 30

func openFile(name string) (*Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("open %s: %s is too large for a checkpoint", name, Size(info.Size()))
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	c, err := projection.DecodeCheckpoint(b)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return &Source{Name: name, Kind: KindCheckpoint, cluster: c.State.Cluster().Name,
		feed: &memory{name: name, start: c.State, from: c.Index + 1}}, nil
}
