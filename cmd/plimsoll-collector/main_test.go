package main

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plimsoll-slo/plimsoll/collector"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"plimsoll-collector": func() {
			os.Exit(collector.Run(collector.Settings("test", time.Now), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	example, err := os.ReadFile("../../collector/testdata/collector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { return os.WriteFile(env.WorkDir+"/example.yaml", example, 0o644) },
	})
}
