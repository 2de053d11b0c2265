// Package program is what the benchmark programs have in common: flags, a report, and the time that they take.
package program

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// ErrUsage is wrapped by what a program returns that was called in a wrong way.
var ErrUsage = errors.New("wrong usage")

// Run runs the program called name and returns its exit code: 0, 1 if it failed, 2 for wrong usage. define adds the
// flags of the program and returns what runs once they are read. What that writes goes to stdout and, if it succeeds, to
// the file of the flag -o.
func Run(name string, args []string, stdout, stderr io.Writer, define func(*flag.FlagSet) func(report io.Writer) error) int {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	out := f.String("o", "", "file for the report, besides standard output")
	run := define(f)
	if err := f.Parse(args); err != nil {
		return 2
	}
	var report bytes.Buffer
	err := run(io.MultiWriter(stdout, &report))
	if err == nil && *out != "" {
		err = os.WriteFile(*out, report.Bytes(), 0o644)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if errors.Is(err, ErrUsage) {
		return 2
	}
	return 1
}

// CPU returns the processor time that this process has taken, which other programs on the machine change little.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("program: getrusage of the own process: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
