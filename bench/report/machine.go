package report

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine is where and how a run was made.
type Machine struct {
	When      time.Time `json:"when"`
	Cores     int       `json:"cores"`
	Processor string    `json:"processor,omitempty"`
	Memory    string    `json:"memory,omitempty"`
	Kernel    string    `json:"kernel,omitempty"`
	Go        string    `json:"go"`
	Postgres  string    `json:"postgres,omitempty"`
	Commit    string    `json:"commit,omitempty"`
	Passes    int       `json:"passes"`
	Window    string    `json:"window"`
}

// ThisMachine describes the machine, as far as it says.
func ThisMachine(passes int, window time.Duration) Machine {
	m := Machine{When: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), Go: runtime.Version(), Passes: passes, Window: window.String()}
	m.Processor = field("/proc/cpuinfo", "model name")
	var kib float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f", &kib); err == nil {
		m.Memory = fmt.Sprintf("%.0f GiB", kib/(1<<20))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	if commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(commit))
	}
	return m
}

// field is the first value of that name in a file of lines "name : value".
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m Machine) String() string {
	out := fmt.Sprintf("%s, %d cores", m.When.Format("2 Jan 2006"), m.Cores)
	for _, s := range []string{m.Processor, m.Memory, m.Kernel, m.Go, m.Postgres} {
		if s != "" {
			out += ", " + s
		}
	}
	if m.Commit != "" {
		out += ", commit " + m.Commit
	}
	return out + fmt.Sprintf("; medians of %d passes of %s", m.Passes, m.Window)
}
