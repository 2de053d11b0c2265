package pipelines

import "time"

// Options of Pipelines. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Settle is how long after the end of an attempt a rerun that began still changes the final outcome, and how long
	// after it was heard of that rerun is waited for; and how long the commits of a deployment are waited for.
	// 30 minutes.
	Settle time.Duration
	// MaxAge is how long a run that does not end is waited for after its last sign. 35 days, GitHub's limit for a run.
	MaxAge time.Duration
	// Retain is how long a counted run, a task or a deployment is remembered after it was last heard of, to recognise
	// copies, whatever delivery they come with. 7 days; GitHub offers redelivery for 3.
	Retain time.Duration
	// RetainCommits is how long a commit waits for its deployment after it was heard of. 90 days.
	RetainCommits time.Duration
	// MaxSeries bounds the series of each metric. 2,000, plus one overflow series for each outcome.
	MaxSeries int
	// MaxPools bounds the runner pools that have a series of their own. 50, plus one overflow series.
	MaxPools int
	// MaxRuns bounds the runs in memory. 50,000, some 25 MB. The run not heard of for longest makes room.
	MaxRuns int
	// MaxTasks bounds the tasks in memory. 100,000, some 20 MB. The task not heard of for longest makes room.
	MaxTasks int
	// MaxDeployments bounds the deployments in memory. 20,000, some 5 MB. That not heard of for longest makes room.
	MaxDeployments int
	// MaxTargets bounds the pairs of a service and an environment in memory. 5,000, some 30 MB at worst.
	MaxTargets int
	// MaxCommits bounds the commits in memory. 100,000, some 30 MB. The oldest makes room.
	MaxCommits int
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Settle, 30 * time.Minute},
		{&o.MaxAge, 35 * 24 * time.Hour},
		{&o.Retain, 7 * 24 * time.Hour},
		{&o.RetainCommits, 90 * 24 * time.Hour},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{
		{&o.MaxSeries, 2000},
		{&o.MaxPools, 50},
		{&o.MaxRuns, 50_000},
		{&o.MaxTasks, 100_000},
		{&o.MaxDeployments, 20_000},
		{&o.MaxTargets, 5000},
		{&o.MaxCommits, 100_000},
	} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	return o
}
