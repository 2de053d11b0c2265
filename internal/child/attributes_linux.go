package child

import "syscall"

// attributes make the kernel end the program when this one is killed, so that the next start finds its port free; and
// keep Ctrl-C of a terminal from it, as this one ends it when everything is sent.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
