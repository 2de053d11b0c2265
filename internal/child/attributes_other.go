//go:build !unix

package child

import "syscall"

// attributes are nothing where the kernel knows none of what they are elsewhere.
func attributes() *syscall.SysProcAttr { return nil }
