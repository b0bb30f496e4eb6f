package clusterkit_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skshohagmiah/clusterkit"
)

func TestOptionsReportAllMistakesAtOnce(t *testing.T) {
	_, err := clusterkit.NewClusterKit(clusterkit.Options{
		NodeID: "no spaces", HTTPAddr: "nonsense", AdvertiseAddr: ":80", KnownNodes: []string{"ok:1", "bad"},
		SyncInterval: time.Millisecond, ProbeInterval: -1, Weight: 5000, SegmentSize: -1, Retention: clusterkit.Retention{Age: -1}, Rebalance: 7, Zone: "a\nb",
		Metadata: map[string]string{"k": strings.Repeat("x", 5000)},
		Config:   &clusterkit.Config{ClusterName: "a b", PartitionCount: -1, ReplicationFactor: 99},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"NodeID", "DataDir", "HTTPAddr", "AdvertiseAddr", "KnownNodes[1]", "SyncInterval",
		"ProbeInterval", "Weight", "SegmentSize", "Retention", "Rebalance", "Zone", "Metadata",
		"Config.ClusterName", "Config.PartitionCount", "Config.ReplicationFactor"} {
		if !strings.Contains(err.Error(), "Options."+field+":") {
			t.Errorf("the error does not name %s:\n%v", field, err)
		}
	}
	if strings.Contains(err.Error(), "KnownNodes[0]") {
		t.Errorf("the error names a good address:\n%v", err)
	}
}

func TestOptionsZeroValueNamesWhatIsRequired(t *testing.T) {
	_, err := clusterkit.NewClusterKit(clusterkit.Options{})
	for _, field := range []string{"NodeID", "DataDir", "HTTPAddr"} {
		if err == nil || !strings.Contains(err.Error(), "Options."+field+":") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := options(t, 1)
	o.HTTPAddr = l.Addr().String()
	ck, err := clusterkit.NewClusterKit(o)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Stop()
	if err := ck.Start(); err == nil || !strings.Contains(err.Error(), o.HTTPAddr) {
		t.Errorf("Start on a taken port: %v", err)
	}
}

func TestDirectoryInUse(t *testing.T) {
	o := options(t, 1)
	start(t, o)
	o.HTTPAddr = "127.0.0.1:0"
	if _, err := clusterkit.NewClusterKit(o); err == nil || !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("a second node on one directory: %v", err)
	}
}

func TestDirectoryOfAnother(t *testing.T) {
	o := options(t, 1)
	ck, err := clusterkit.NewClusterKit(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := ck.Stop(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, o.DataDir)
	other := o
	other.NodeID = "n2"
	if _, err := clusterkit.NewClusterKit(other); err == nil || !strings.Contains(err.Error(), "n1") || !strings.Contains(err.Error(), "n2") {
		t.Errorf("the directory of another node: %v", err)
	}
	other = o
	other.Config = &clusterkit.Config{ClusterName: "other"}
	if _, err := clusterkit.NewClusterKit(other); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("the directory of another cluster: %v", err)
	}
	if after := contents(t, o.DataDir); after != before {
		t.Errorf("a refused open changed the directory:\n%s\nwas\n%s", after, before)
	}
}

func TestUnwritableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, 1)
	o.DataDir = filepath.Join(file, "data")
	if _, err := clusterkit.NewClusterKit(o); err == nil || !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("a directory that cannot be made: %v", err)
	}
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.WriteString(path + " " + string(b) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
