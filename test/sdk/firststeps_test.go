//go:build unix

package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chatd/chatd/test/process"
)

// project is an empty folder and an empty home, and what runs in them sees nothing else of this machine's settings.
type project struct {
	t        *testing.T
	dir      string
	env      []string
	endpoint string
}

// server is what all share: the program's address and what it prints.
type server struct {
	process.Endpoint
	url   string
	lines map[string]string // by runtime, as the program prints them
}

// TestFirstSteps follows the first steps in README.md: in an empty project, with an empty home, it runs the line
// that the program prints for a runtime, and then the table's own code for connecting.
func TestFirstSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("installs SDKs of other languages: not in -short")
	}
	program := process.Build(t)
	running := process.Start(t, program, nil)
	s := server{Endpoint: running.Endpoint, lines: printed(t, program, running.ConfigDir)}
	s.url = regexp.MustCompile(`endpoint=(https://[^;/]+)`).FindStringSubmatch(s.ConnectionString)[1]
	steps := map[string]func(*testing.T, server, string){
		"Node.js": nodeSteps, "Python": pythonSteps, "Java": javaSteps, ".NET (Linux), Go": goSteps, "Azure CLI": cliSteps,
		"Chromium (Linux)": chromiumSteps,
	}
	for runtime, line := range s.lines {
		t.Run(runtime, func(t *testing.T) {
			if steps[runtime] == nil {
				t.Fatal("no test runs this line")
			}
			steps[runtime](t, s, line)
		})
	}
	for runtime := range steps {
		if s.lines[runtime] == "" {
			t.Errorf("the program prints no line for %s", runtime)
		}
	}
}

// printed are the lines of chatd cert by their labels.
func printed(t *testing.T, program, configDir string) map[string]string {
	out := string(process.Output(t, process.Command(t, "", nil, program, "cert", "--config-dir", configDir)))
	_, trust, found := strings.Cut(out, "Trust the CA")
	if !found {
		t.Fatalf("chatd cert prints %q", out)
	}
	lines := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ {2}(\S.*?) {2,}(\S.*)$`).FindAllStringSubmatch(trust, -1) {
		lines[m[1]] = m[2]
	}
	return lines
}

func newProject(t *testing.T, s server) *project {
	t.Helper()
	return &project{t: t, dir: t.TempDir(), endpoint: s.url, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8", "CONNECTION=" + s.ConnectionString,
	}}
}

// write puts a file into the project. In it README's address is that of the running server.
func (p *project) write(name, text string) {
	p.t.Helper()
	text = strings.ReplaceAll(text, "https://localhost:8443", p.endpoint)
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) link(name, to string) {
	p.t.Helper()
	to, err := filepath.Abs(to)
	if err == nil {
		err = os.Symlink(to, filepath.Join(p.dir, name))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// shell is a command of a shell in the project, followed by a program in its environment.
func (p *project) shell(line string, program ...string) *exec.Cmd {
	cmd := process.Command(p.t, p.dir, nil, "sh", append([]string{"-ec", line + "\n" + `exec "$@"`, "sh"}, program...)...)
	cmd.Env = p.env
	return cmd
}

// trusts runs the program once without the line, when it has to refuse the server, and once with it.
func (p *project) trusts(line string, program ...string) {
	p.t.Helper()
	cmd := p.shell("", program...)
	cmd.Stderr = nil
	if out, err := cmd.CombinedOutput(); err == nil {
		p.t.Errorf("%q trusts the server before it is configured to: %s", program, out)
	}
	if out := string(process.Output(p.t, p.shell(line, program...))); !strings.Contains(out, "connected") {
		p.t.Errorf("%q after %q prints %q", program, line, out)
	}
}

// connect is the code in README's table for an SDK, one item for each line.
func connect(t *testing.T, sdk string) []any {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(sdk) + ` \|.*\| (.*) \|$`).FindSubmatch(readme)
	if row == nil {
		t.Fatalf("README.md has no row for %s", sdk)
	}
	var code []any
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllSubmatch(row[1], -1) {
		code = append(code, string(m[1]))
	}
	return code
}
