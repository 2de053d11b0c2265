//go:build real || grafana

package realtest

import "syscall"

// dieWithParent makes the kernel end a server when the test program ends, even by a crash or a timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
