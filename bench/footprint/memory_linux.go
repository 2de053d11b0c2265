package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const dontNeed = 4 // POSIX_FADV_DONTNEED

// uncache makes the kernel forget what it keeps of a file. A program that was just written is kept in large pieces, and
// each is counted as a whole as soon as a byte of it is used; after this it is read as on a machine that was started anew.
func uncache(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // what is not on the disk yet is not forgotten
		return err
	}
	if _, _, no := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); no != 0 {
		return fmt.Errorf("forget the cache of %s: %w", file, no)
	}
	return nil
}

// memory returns the mebibytes that are resident of a process, and those of them that are its own data and not a part of a
// file.
func memory(pid int) (resident, data float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(string(line), ":")
		to := map[string]*float64{"VmRSS": &resident, "RssAnon": &data}[name]
		if to == nil {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return 0, 0, err
		}
		*to = kib / 1024
	}
	if resident == 0 || data == 0 {
		return 0, 0, fmt.Errorf("want VmRSS and RssAnon of process %d", pid)
	}
	return resident, data, nil
}
