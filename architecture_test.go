package clusterkit_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/skshohagmiah/clusterkit"

// house says which rooms each room may enter, and which guests it may have.
// "ours" are packages of this module, "theirs" those of others; the standard
// library is open to all but the pure ones, which are restricted below.
var house = map[string]struct{ ours, theirs []string }{
	"events":                       {nil, []string{"google.golang.org/protobuf/encoding/protowire"}},
	"projection":                   {[]string{"events"}, []string{"google.golang.org/protobuf/encoding/protowire"}},
	"projection/placement":         {nil, []string{"github.com/cespare/xxhash/v2"}},
	"projection/coordination":      {[]string{"events", "projection", "projection/placement"}, nil},
	"log":                          {[]string{"events"}, []string{"github.com/tidwall/wal"}},
	"transport":                    {[]string{"events"}, []string{"github.com/gorilla/mux", "google.golang.org/protobuf/encoding/protowire"}},
	"transport/swim":               {[]string{"events"}, nil},
	"metrics":                      {nil, []string{"github.com/prometheus/"}},
	"replay":                       {[]string{"events", "log", "projection", "projection/placement", "projection/coordination"}, []string{"github.com/expr-lang/expr", "github.com/expr-lang/expr/"}},
	"replay/timeline":              {[]string{"replay", "events", "projection"}, nil},
	"replay/cli":                   {[]string{"replay", "replay/timeline", "events", "projection", "projection/placement", "projection/coordination", "log"}, []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}},
	"replay/cmd/clusterkit-replay": {[]string{"replay/cli"}, nil},
	"replay/replaytest":            {[]string{"replay", "events", "projection", "log"}, nil},
	"internal/memnet":              {nil, nil},
	"examples/kvstore":             {[]string{"", "replay/cli"}, nil},
	"": {
		[]string{"events", "projection", "projection/placement", "projection/coordination", "log", "transport", "transport/swim", "metrics", "replay"},
		[]string{"github.com/cespare/xxhash/v2", "github.com/prometheus/client_golang/prometheus"},
	},
}

// pure packages and files do no I/O and know no clock, lock, goroutine, logger
// or chance.
var impure = []string{"os", "net", "net/http", "io/fs", "context", "sync", "sync/atomic", "log", "log/slog",
	"math/rand", "math/rand/v2", "crypto/rand", "runtime", "syscall"}

func isPure(pkg, file string) bool {
	switch pkg {
	case "events", "projection", "projection/placement", "projection/coordination", "transport/swim":
		return true
	case "":
		return file == "replica.go" || file == "knowledge.go" || file == "vector.go"
	}
	return false
}

// pureExceptions are imports of pure code that the list above forbids in
// general, with the reason why they do no harm there.
var pureExceptions = map[string][]string{
	"transport/swim": {"math/rand/v2"}, // seeded by the caller
}

func TestArchitecture(t *testing.T) {
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bench") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		file = filepath.ToSlash(file)
		pkg := strings.TrimPrefix(path.Dir(file), ".")
		seen[pkg] = true
		checkImports(t, pkg, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range house {
		if !seen[pkg] {
			t.Errorf("package %q is in the table and not in the tree", pkg)
		}
	}
}

func checkImports(t *testing.T, pkg, file string) {
	rules, ok := house[pkg]
	if !ok {
		t.Errorf("%s: package %q is not in the table of the architecture test; decide what it may import", file, pkg)
		return
	}
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range tree.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		switch first, _, _ := strings.Cut(imported, "/"); {
		case imported == module || strings.HasPrefix(imported, module+"/"):
			ours := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			if !slices.Contains(rules.ours, ours) {
				t.Errorf("%s imports our %q: imports go one way, see the table", file, ours)
			}
		case strings.Contains(first, "."):
			if !slices.ContainsFunc(rules.theirs, func(p string) bool {
				return imported == p || strings.HasSuffix(p, "/") && strings.HasPrefix(imported, p)
			}) {
				t.Errorf("%s imports %q, which belongs in another room", file, imported)
			}
		case isPure(pkg, path.Base(file)) && slices.Contains(impure, imported) && !slices.Contains(pureExceptions[pkg], imported):
			t.Errorf("%s imports %q and must be pure", file, imported)
		}
	}
}

// TestArchitectureCanFail shows that the rules refuse what they must.
func TestArchitectureCanFail(t *testing.T) {
	for pkg, rules := range house {
		if slices.Contains(rules.ours, pkg) {
			t.Errorf("%q may import itself", pkg)
		}
	}
	if slices.Contains(house["events"].ours, "projection") || slices.Contains(house["replay"].ours, "transport") ||
		slices.Contains(house["log"].ours, "projection") || slices.Contains(house["transport"].ours, "log") {
		t.Error("an import that goes the wrong way is allowed")
	}
	if !isPure("", "replica.go") || isPure("", "writer.go") || !slices.Contains(impure, "net/http") {
		t.Error("the pure core is not guarded")
	}
}
