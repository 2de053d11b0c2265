// Command footprint measures how heavy the collector programs are: size on disk, modules linked, time until they
// serve, and resident memory while they idle. It fails if one is above its limit. On Linux only.
//
//	go run ./bench/footprint bin/plimsoll-collector:55:60 bin/plimsoll-gateway:110:120
//
// An argument is a program and its limits: megabytes (10^6 bytes) on disk and mebibytes (2^20) of resident memory, most of
// which is the program itself, read from the disk anew; its own data are shown beside it. Each program runs with an OTLP
// receiver, a memory limiter, a persistent queue and a health check, which it is asked until it is well.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0, 1 if a program is too heavy or does not run, 2 for wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(stderr, "usage: footprint PROGRAM:DISK_MB:MEMORY_MIB...")
		return 2
	}
	status := 0
	fmt.Fprintf(stdout, "%-20s %10s %6s %8s %6s %8s %8s %8s\n", "program", "disk MB", "limit", "idle MiB", "limit", "data MiB", "modules", "ready ms")
	for _, arg := range args {
		name, disk, memory, err := parse(arg)
		if err != nil {
			fmt.Fprintln(stderr, "footprint:", err)
			return 2
		}
		f, err := measure(name)
		if err != nil {
			fmt.Fprintf(stderr, "footprint: measure %s: %v\n", name, err)
			return 1
		}
		fmt.Fprintf(stdout, "%-20s %10.1f %6.0f %8.1f %6.0f %8.1f %8d %8d\n",
			filepath.Base(name), f.disk, disk, f.memory, memory, f.data, f.modules, f.ready.Milliseconds())
		if f.disk > disk || f.memory > memory {
			fmt.Fprintf(stderr, "footprint: %s is above its limit\n", name)
			status = 1
		}
	}
	return status
}

func parse(arg string) (name string, disk, memory float64, err error) {
	parts := strings.Split(arg, ":")
	if len(parts) != 3 {
		return "", 0, 0, fmt.Errorf("want PROGRAM:DISK:MEMORY, have %q", arg)
	}
	disk, errDisk := strconv.ParseFloat(parts[1], 64)
	memory, errMemory := strconv.ParseFloat(parts[2], 64)
	return parts[0], disk, memory, errors.Join(errDisk, errMemory)
}

// footprint is in megabytes on disk and mebibytes of memory.
type footprint struct {
	disk, memory, data float64
	modules            int
	ready              time.Duration
}

func measure(program string) (footprint, error) {
	stat, err := os.Stat(program)
	if err != nil {
		return footprint{}, err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return footprint{}, err
	}
	f := footprint{disk: float64(stat.Size()) / 1e6, modules: len(info.Deps)}
	dir, err := os.MkdirTemp("", "plimsoll-footprint-*")
	if err != nil {
		return footprint{}, err
	}
	defer os.RemoveAll(dir)
	if err := uncache(program); err != nil {
		return footprint{}, err
	}
	err = f.idle(program, dir)
	return f, err
}

// idle starts a program, waits until it is well and has settled, and notes how long the first took and its memory.
func (f *footprint) idle(program, dir string) (err error) {
	health, err := freePort()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--config", "yaml:"+config(dir, health))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, cmd.Process.Signal(os.Interrupt), cmd.Wait())
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, output.String())
		}
	}()
	if err := wait(ctx, "http://"+health); err != nil {
		return err
	}
	f.ready = time.Since(begin)
	select { // until the garbage of the start is collected
	case <-ctx.Done():
	case <-time.After(3 * time.Second):
	}
	f.memory, f.data, err = memory(cmd.Process.Pid)
	return err
}

func config(dir, health string) string {
	return fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}, grpc: {endpoint: "127.0.0.1:0"}}}}
processors: {memory_limiter: {check_interval: 1s, limit_mib: 400}}
exporters: {otlp_http: {endpoint: "http://127.0.0.1:1", sending_queue: {storage: file_storage}}}
extensions: {file_storage: {directory: %q}, health_check: {endpoint: %q}}
service:
  extensions: [file_storage, health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], processors: [memory_limiter], exporters: [otlp_http]}
    logs: {receivers: [otlp], processors: [memory_limiter], exporters: [otlp_http]}
    traces: {receivers: [otlp], processors: [memory_limiter], exporters: [otlp_http]}
`, dir, health)
}

// wait asks until the answer is 200.
func wait(ctx context.Context, url string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not get well: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
