//go:build real

package realtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// thanos starts a Receive, which takes remote writes, and a Query before it, which is the one to ask.
func thanos(t testing.TB) *database {
	t.Helper()
	dir, web, rpc, write := t.TempDir(), address(t), address(t), address(t)
	start(t, "thanos", web, "/-/ready", "receive", "--tsdb.path="+dir+"/data", "--http-address="+web, "--grpc-address="+rpc,
		"--remote-write.address="+write, "--receive.capnproto-address="+address(t), "--label=receive=\"one\"", "--log.level=warn",
		"--receive.local-endpoint="+rpc, fmt.Sprintf(`--receive.hashrings=[{"endpoints":["%s"]}]`, rpc), "--tsdb.out-of-order.time-window=1d")
	addr := address(t)
	db := &database{
		server:   start(t, "thanos", addr, "/-/ready", "query", "--http-address="+addr, "--grpc-address="+address(t), "--endpoint-strict="+rpc, "--log.level=warn"),
		writeURL: "http://" + write + "/api/v1/receive",
	}
	// Query asks Receive every five seconds of which time it has samples, and none before.
	first := sample{labels: store.Labels{store.Name: "first"}, t: storyStart.Add(-time.Minute)}
	db.write(first)
	db.await("Query sees a sample of Receive", startWithin, func() bool { return len(db.query("first", first.t)) == 1 })
	return db
}
