//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package ledger

import (
	"errors"
	"os"
)

// errSystem keeps the ledger from systems where it can not promise what it says.
var errSystem = errors.New("want a system with flock and directories that can be synced")

func lockFile(string) (*os.File, error) { return nil, errSystem }

func makeDir(string) error { return errSystem }

func syncDir(string) error { return errSystem }
