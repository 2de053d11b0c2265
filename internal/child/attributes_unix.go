//go:build unix && !linux

package child

import "syscall"

// attributes keep Ctrl-C of a terminal from the program. The kernel does not end it when this one is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
