package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// imageRoot is a folder with what deploy/Dockerfile puts into the image, and nothing else: no shell, no library, no /tmp.
func imageRoot(t *testing.T, d dockerfile, uid int) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range d.copied {
		to := filepath.Join(root, path)
		switch path {
		case d.entrypoint[0]:
			build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		case d.volume:
			if err := os.Mkdir(to, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(to, uid, uid); err != nil {
				t.Fatal(err)
			}
		default: // certificates of others, which nothing here calls
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// The image cannot be built without Docker. What its entry point and its check run is run here, by the same user, in a
// root folder that holds the same.
func TestImage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to change the root folder and the user")
	}
	d := readDockerfile(t)
	user, group, _ := strings.Cut(d.user, ":")
	if user != group {
		t.Fatalf("USER is %s", d.user)
	}
	uid, err := strconv.Atoi(user)
	if err != nil {
		t.Fatal(err)
	}
	root := imageRoot(t, d, uid)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var environment []string
	for name, value := range with(d.env, variables(t, installation(t)), map[string]string{"CHATD_LISTEN": ":" + portOf(free)}) {
		environment = append(environment, name+"="+value)
	}
	free.Close()
	inside := func(args []string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Env, cmd.Dir = environment, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		return cmd
	}

	// The second start finds what the first one kept.
	var ca []byte
	for range 2 {
		p := &process{instance: &instance{t: t, stdout: newOutput(), stderr: newOutput()}, cmd: inside(slices.Concat(d.entrypoint, d.cmd))}
		p.cmd.Stderr = p.stderr
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.waitFor(p.stderr, "msg=ready")
		if out, err := inside(d.health).CombinedOutput(); err != nil || string(out) != "ready\n" {
			t.Errorf("the check of the image: %v %s; stderr: %s", err, out, p.stderr)
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: %v; stderr: %s", err, p.stderr)
		}
		if kept := read(t, filepath.Join(root, d.env["CHATD_CONFIG_DIR"], caFile)); ca != nil && string(kept) != string(ca) {
			t.Error("the CA changed")
		} else {
			ca = kept
		}
	}
	if out, err := inside(d.health).CombinedOutput(); err == nil {
		t.Errorf("the check of a stopped server says %s", out)
	}
	if _, err := os.Stat(filepath.Join(root, strings.TrimPrefix(d.env["CHATD_STORE"], "sqlite:"))); err != nil {
		t.Error(err)
	}
}
