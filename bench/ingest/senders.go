package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

const secret = "a secret for the benchmark"

// runID is the run of the payload, replaced by another in each delivery.
const runID = "289782451"

// ingest sends deliveries of different runs to a receiver that keeps them in dir, or in memory if dir is empty, and
// returns how long each answer took, sorted, and how long all of it took.
func ingest(dir string, body []byte, senders int, each time.Duration) ([]time.Duration, time.Duration, error) {
	if !bytes.Contains(body, []byte(runID)) {
		return nil, 0, fmt.Errorf("want a payload of run %s", runID)
	}
	ctx := context.Background()
	factory := platformevents.NewFactory(time.Now)
	endpoint, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	cfg := factory.CreateDefaultConfig().(*platformevents.Config)
	cfg.NetAddr.Endpoint = endpoint
	cfg.Sources = map[string]platformevents.SourceConfig{"github": {Secrets: []configopaque.String{secret}}}
	cfg.Storage.Directory = dir
	settings := receivertest.NewNopSettings(factory.Type())
	settings.ID = component.NewID(factory.Type())
	r, err := factory.CreateMetrics(ctx, settings, cfg, consumertest.NewNop())
	if err != nil {
		return nil, 0, err
	}
	if err := r.Start(ctx, componenttest.NewNopHost()); err != nil {
		return nil, 0, err
	}
	times, took, err := send("http://"+endpoint+"/github", body, senders, each)
	return times, took, errors.Join(err, r.Shutdown(ctx))
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// send lets senders post one delivery after the other for a while.
func send(url string, body []byte, senders int, each time.Duration) ([]time.Duration, time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	results := make([][]time.Duration, senders)
	errs := make([]error, senders)
	var tasks sync.WaitGroup
	start := time.Now()
	for s := range senders {
		tasks.Go(func() {
			for time.Since(start) < each && errs[s] == nil {
				number := fmt.Sprintf("%09d", 100_000_000+next.Add(1))
				delivery := bytes.ReplaceAll(body, []byte(runID), []byte(number))
				var took time.Duration
				if took, errs[s] = post(client, url, delivery); errs[s] == nil {
					results[s] = append(results[s], took)
				}
			}
		})
	}
	tasks.Wait()
	took := time.Since(start)
	times := slices.Concat(results...)
	slices.Sort(times)
	return times, took, errors.Join(errs...)
}

// post returns how long the answer to one delivery took.
func post(client *http.Client, url string, delivery []byte) (time.Duration, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(delivery))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "workflow_run")
	req.Header.Set("X-Hub-Signature-256", exportertest.GitHubSignature(secret, delivery))
	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	took := time.Since(start)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusAccepted {
		return 0, fmt.Errorf("post %s: status %d, want 202", url, resp.StatusCode)
	}
	return took, nil
}
