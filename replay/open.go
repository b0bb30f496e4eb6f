package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	eventlog "github.com/skshohagmiah/clusterkit/log"
	"github.com/skshohagmiah/clusterkit/projection"
)

// Open opens a LOG: a data directory, a wal directory, a directory of archived
// segments, a checkpoint, a bundle, JSON lines, or http://host:port of a live
// node. What a file is, its contents say and not its name. Of a bundle with
// several logs it opens their [Union], of "incident.bundle#n1" the log of n1.
func Open(ctx context.Context, name string) (*Source, error) {
	all, err := OpenAll(ctx, name)
	if err != nil {
		return nil, err
	}
	s, err := Union(ctx, all...)
	if err != nil {
		return nil, errors.Join(err, closeSources(all))
	}
	return s, nil
}

// OpenAll opens all the logs that a LOG holds: those of a bundle, and of
// everything else one.
func OpenAll(ctx context.Context, name string) ([]*Source, error) {
	if isURL(name) {
		return openNode(ctx, name)
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		if file, log, ok := cutFragment(name); ok {
			return openPart(ctx, file, log)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if info.IsDir() {
		s, err := openDir(name)
		if err != nil {
			return nil, err
		}
		return []*Source{s}, nil
	}
	return openFile(ctx, name)
}

func closeSources(all []*Source) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// cutFragment parts "incident.bundle#n1" into the file and the log.
func cutFragment(name string) (file, log string, ok bool) {
	i := strings.LastIndexByte(name, '#')
	if i <= 0 || i == len(name)-1 {
		return "", "", false
	}
	info, err := os.Stat(name[:i])
	return name[:i], name[i+1:], err == nil && info.Mode().IsRegular()
}

// openPart opens one log of a bundle.
func openPart(ctx context.Context, file, log string) ([]*Source, error) {
	all, err := openFile(ctx, file)
	if err != nil {
		return nil, err
	}
	var names []string
	for i, s := range all {
		if part, ok := s.feed.(*bundled); ok {
			if names = append(names, part.Name); part.Name == log {
				rest := slices.Delete(slices.Clone(all), i, i+1)
				return []*Source{s}, closeSources(rest)
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("open %s: it holds no log %s, but %s", file, log, strings.Join(names, ", ")), closeSources(all))
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

func openFile(ctx context.Context, name string) ([]*Source, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("open: %w", errors.Join(err, f.Close()))
	}
	switch head = head[:n]; {
	case looksLikeBundle(head):
		return openBundleFile(f, name)
	case looksLikeLines(head):
		defer f.Close()
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("open: %w", err)
		}
		return spoolLines(ctx, f, name, KindEvents)
	}
	defer f.Close()
	s, err := openCheckpoint(f, name)
	if err != nil {
		return nil, err
	}
	return []*Source{s}, nil
}

// looksLikeBundle also knows a bundle whose first byte was changed.
func looksLikeBundle(head []byte) bool {
	if bytes.HasPrefix(head, []byte(bundleMagic)) {
		return true
	}
	at := bytes.Index(head, []byte(bundleMagic))
	return at > 0 && new(blockHead).parse(head[at:]) || new(blockHead).parse(append([]byte(bundleMagic), head[min(4, len(head)):]...))
}

// looksLikeLines reports whether the first line is an object by itself.
func looksLikeLines(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(line, []byte(`{"`)) && (json.Valid(line) || len(line) == len(head)) && !bytes.HasPrefix(line, []byte(`{"format"`))
}

func openCheckpoint(f *os.File, name string) (*Source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("open %s: %w: the file is empty", name, ErrEmpty)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("open %s: %s is too large for a checkpoint", name, Size(info.Size()))
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, info.Size()), b); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return checkpointSource(b, name)
}

func checkpointSource(b []byte, name string) (*Source, error) {
	c, err := projection.DecodeCheckpoint(b)
	if err != nil {
		if parent := filepath.Dir(name); filepath.Base(parent) == "wal" {
			return nil, fmt.Errorf("open %s: it is a file of a log; name the directory %s", name, filepath.Dir(parent))
		}
		return nil, fmt.Errorf("open %s: it is no bundle, no JSON lines and no checkpoint (%w)", name, err)
	}
	return &Source{Name: name, Kind: KindCheckpoint, cluster: c.State.Cluster().Name,
		feed: &memory{name: name, start: c.State, from: c.Index + 1}}, nil
}

func openBundleFile(f *os.File, name string) ([]*Source, error) {
	b, err := openBundle(f, name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), f.Close())
	}
	if len(b.logs) == 0 {
		return nil, errors.Join(fmt.Errorf("open %s: %w: the bundle holds no log", name, ErrEmpty), f.Close())
	}
	return b.sources(KindBundle), nil
}

func (b *bundle) sources(kind Kind) []*Source {
	var all []*Source
	for _, l := range b.logs {
		all = append(all, l.source(kind))
	}
	return all
}

// OpenReader opens what comes through a pipe: JSON lines, a bundle or a
// checkpoint. It reads to the end first, into a temporary file, which goes when
// the sources are closed.
func OpenReader(ctx context.Context, r io.Reader, name string) ([]*Source, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(64 << 10)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	switch {
	case len(head) == 0:
		return nil, fmt.Errorf("read %s: %w", name, ErrEmpty)
	case looksLikeBundle(head):
		return spool(name, KindBundle, func(w io.Writer) error { _, err := io.Copy(w, br); return err })
	case looksLikeLines(head):
		return spoolLines(ctx, br, name, KindEvents)
	}
	b, err := io.ReadAll(io.LimitReader(br, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s, err := checkpointSource(b, name)
	if err != nil {
		return nil, err
	}
	return []*Source{s}, nil
}

func spoolLines(ctx context.Context, r io.Reader, name string, kind Kind) ([]*Source, error) {
	return spool(name, kind, func(w io.Writer) error {
		b := newBundleWriter(w, false, BundleInfo{})
		if err := importLines(ctx, name, r, b, kind == KindNode); err != nil {
			return err
		}
		return b.close()
	})
}

// spool lets fill write a bundle into a temporary file and opens that.
func spool(name string, kind Kind, fill func(io.Writer) error) ([]*Source, error) {
	f, err := os.CreateTemp("", "clusterkit-replay-*")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	path := f.Name()
	remove := func() { os.Remove(path) }
	if os.Remove(path) == nil { // where an open file can be removed nothing is left behind
		remove = func() {}
	}
	w := bufio.NewWriterSize(f, 256<<10)
	err = fill(w)
	if err == nil {
		err = w.Flush()
	}
	var b *bundle
	if err == nil {
		b, err = openBundle(f, name)
	}
	if err != nil {
		err = errors.Join(err, f.Close())
		remove()
		return nil, err
	}
	b.remove = remove
	return b.sources(kind), nil
}
