//go:build (real || grafana) && !linux

package realtest

import "syscall"

// dieWithParent does nothing where the kernel cannot do it: a server outlives a test program that crashes.
func dieWithParent() *syscall.SysProcAttr { return nil }
