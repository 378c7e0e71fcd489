package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Folders that are mounted belong to another user at times. One that chatd may write to will do; of any other the error says what
// to do.
func TestFolderOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	const uid = 65532
	dir := t.TempDir()
	program := filepath.Join(dir, "chatd") // the test's own is in a folder of root
	if err := exec.CommandContext(t.Context(), "cp", os.Args[0], program).Run(); err != nil {
		t.Fatal(err)
	}
	folder := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{dir, filepath.Dir(dir)} { // for the other user to come there
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	open, closed := folder("open", 0o777), folder("closed", 0o755)
	const remedy = "has to be writable for user 65532"
	plain := []string{"--listen", "off", "--http-listen", "127.0.0.1:0"} // which needs no CA
	for _, c := range []struct {
		name string
		args []string
		want string // of stderr; empty: it works
	}{
		{"open", []string{"--listen", "127.0.0.1:0", "--config-dir", open}, ""},
		{"open again", []string{"--listen", "127.0.0.1:0", "--config-dir", open}, ""},
		{"closed", []string{"--listen", "127.0.0.1:0", "--config-dir", closed}, remedy},
		{"below closed", []string{"--listen", "127.0.0.1:0", "--config-dir", filepath.Join(closed, "config")}, remedy},
		{"signing keys", append([]string{"--config-dir", closed}, plain...), remedy},
		{"store", append([]string{"--store", "sqlite:" + filepath.Join(closed, "chatd.db")}, plain...), remedy},
	} {
		cmd := exec.CommandContext(t.Context(), program, append([]string{"dev", "--json"}, c.args...)...)
		cmd.Env, cmd.Dir = []string{"CHATD_TEST_IS_CHATD=1"}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "" { // it is ready
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}
		err = cmd.Wait()
		if (err == nil) != (c.want == "") || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: %v, stderr %q; want %q", c.name, err, stderr.String(), c.want)
		}
	}
	info, err := os.Stat(filepath.Join(open, "ca-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != uid {
		t.Errorf("the key of the CA: %v, %v; want a private file of the user", info, err)
	}
}
