//go:build real

package realtest

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"testing"
)

// replicas is how many ingesters a cluster has; each holds every sample.
const replicas = 3

// cortexConfig is a cluster on one machine: the ring by gossip, the rules and blocks in directories.
const cortexConfig = `
auth_enabled: true
server: {http_listen_address: 127.0.0.1, grpc_listen_address: 127.0.0.1, log_level: warn}
memberlist: {bind_addr: [127.0.0.1], abort_if_cluster_join_fails: false}
distributor:
  shard_by_all_labels: true
  ring: {kvstore: {store: memberlist}, instance_addr: 127.0.0.1}
ingester:
  lifecycler:
    address: 127.0.0.1
    join_after: 0s
    min_ready_duration: 0s
    final_sleep: 0s
    readiness_check_ring_health: false
    ring: {kvstore: {store: memberlist}, replication_factor: 3}
limits: {out_of_order_time_window: 1d, enable_native_histograms: true}
querier: {active_query_tracker_dir: "%[1]s/queries"}
blocks_storage:
  backend: filesystem
  filesystem: {dir: "%[1]s/blocks"}
  bucket_store: {sync_dir: "%[1]s/sync"}
store_gateway: {sharding_ring: {kvstore: {store: memberlist}, instance_addr: 127.0.0.1}}
ruler_storage: {backend: filesystem, filesystem: {dir: "%[1]s/rules"}}
ruler:
  enable_api: true
  rule_path: "%[1]s/ruler"
  poll_interval: 1s
  resend_delay: 5s
  alertmanager_url: "%[2]s"
  ring: {kvstore: {store: memberlist}, instance_addr: 127.0.0.1}
`

// cortex starts a cluster of Cortex: three ingesters that each hold every sample, and one process with everything
// else, which is the one to talk to. Its ruler tells alertmanager, a URL, unless that is empty. To disturb it is to
// kill an ingester.
func cortex(t testing.TB, alertmanager string) *database {
	t.Helper()
	dir := t.TempDir()
	config := write(t, dir, "cortex.yml", fmt.Sprintf(cortexConfig, dir, alertmanager))
	var join []string
	one := func(name, target string, flags ...string) *server {
		addr, rpc, gossip := address(t), address(t), address(t)
		args := append([]string{
			"-config.file=" + config, "-target=" + target, "-server.http-listen-port=" + port(t, addr),
			"-server.grpc-listen-port=" + port(t, rpc), "-memberlist.nodename=" + name,
			"-memberlist.bind-port=" + port(t, gossip), "-memberlist.advertise-addr=127.0.0.1", "-memberlist.advertise-port=" + port(t, gossip),
			"-ingester.lifecycler.ID=" + name, "-ingester.lifecycler.port=" + port(t, rpc), "-blocks-storage.tsdb.dir=" + filepath.Join(dir, name),
			"-querier.store-gateway-addresses=" + rpc,
		}, append(join, flags...)...)
		join = append(join, "-memberlist.join="+gossip)
		return start(t, "cortex", addr, "/ready", args...)
	}
	var ingesters []*server
	for i := range replicas {
		ingesters = append(ingesters, one(fmt.Sprintf("ingester-%d", i), "ingester"))
	}
	front := one("front", "distributor,querier,store-gateway,ruler")
	front.tenant = "shop"
	members := regexp.MustCompile(fmt.Sprintf(`(?m)ring_members\{name="ingester",state="ACTIVE".*} %d$`, replicas))
	front.await("all ingesters are in the ring", startWithin, func() bool { return members.Match(front.get("/metrics", nil)) })
	return &database{server: front, push: "/api/v1/push", prefix: "/prometheus", disturb: func() {
		t.Log("an ingester of the three is killed")
		ingesters[1].kill()
	}}
}

// port returns the port of an address.
func port(t testing.TB, addr string) string {
	t.Helper()
	_, out, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
