// Package setup has what is measured: chatd processes, a private Postgres, and what is stored in them.
package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const tick = 10 * time.Millisecond // in which Linux counts computing time

// stat is what Linux shows of a process in /proc/PID/stat.
type stat struct {
	parent int
	used   time.Duration // computing time, that of children which have ended included
}

func statOf(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return stat{}, errors.New("computing time is not known on this system")
	}
	var s stat
	s.parent, err = strconv.Atoi(fields[1])
	for _, f := range fields[11:15] {
		n, err2 := strconv.Atoi(f)
		err = errors.Join(err, err2)
		s.used += time.Duration(n) * tick
	}
	return s, err
}

// Used is the time that a process and its children have computed so far; 0 on systems other than Linux. The children are
// those of Postgres: each has one thread and no children, and there are so many that ticks of
// 10 ms would be too coarse; see precise.
func Used(pid int) time.Duration {
	own, err := statOf(pid)
	if err != nil {
		return 0
	}
	total := own.used
	all, _ := filepath.Glob("/proc/[0-9]*") // a pattern that is right has no error
	for _, path := range all {
		id, _ := strconv.Atoi(filepath.Base(path))
		if s, err := statOf(id); err == nil && s.parent == pid { // one may just have ended
			total += precise(id, s.used)
		}
	}
	return total
}

// precise is the computing time of a process of one thread, in nanoseconds where the kernel counts them, else in ticks.
func precise(pid int, ticks time.Duration) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	var ns int64
	if n, _ := fmt.Sscan(string(data), &ns); err != nil || n != 1 {
		return ticks
	}
	return time.Duration(ns)
}

// Resident is the resident memory of a process in KiB.
func Resident(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib, nil
		}
	}
	return 0, errors.New("resident memory is not known on this system")
}
