package pipelines

import "time"

type savedDeployment struct {
	Subject   string
	Heard     time.Time
	State     int
	Key       string
	Succeeded bool
}

type savedPlace struct {
	Owner, Repository, Service, Environment string
}

type savedTarget struct {
	Place    savedPlace
	Heard    time.Time
	ID       uint32
	Releases []savedRelease
}

type savedRelease struct {
	Revision string
	At       time.Time
}

type savedCommit struct {
	Revision, Base string
	Heard          time.Time
	Committed      int64 // seconds since 1970
	Targets        []uint32
}

type savedArrival struct {
	Revision, Subject string
	To                savedPlace
	At, Heard         time.Time
	Baseline          bool
	Missing           string
}

func (f *deployments) save(s *savedPipelines) {
	s.LastTarget = f.lastID
	f.bySubject.All(func(subject string, heard time.Time, d *deployment) {
		s.Deployments = append(s.Deployments, savedDeployment{subject, heard, int(d.state), d.key, d.succeeded})
	})
	f.targets.All(func(p place, heard time.Time, to *target) {
		saved := savedTarget{Place: exported(p), Heard: heard, ID: to.id}
		for _, r := range to.releases {
			saved.Releases = append(saved.Releases, savedRelease{r.revision, r.at})
		}
		s.Targets = append(s.Targets, saved)
	})
	f.commits.byRevision.All(func(revision string, heard time.Time, c *commit) {
		s.Commits = append(s.Commits, savedCommit{revision, c.base, heard, c.committed.Unix(), c.targets})
	})
	for _, a := range f.leads.waiting {
		s.Arrivals = append(s.Arrivals, savedArrival{a.revision, a.subject, exported(a.to), a.at, a.heard, a.baseline, a.missing})
	}
}

func (f *deployments) restore(s *savedPipelines) {
	f.lastID = s.LastTarget
	for _, d := range s.Deployments {
		known, _ := f.bySubject.Heard(d.Subject, d.Heard)
		*known = deployment{State(d.State), d.Key, d.Succeeded}
	}
	for _, t := range s.Targets {
		to, _ := f.targets.Heard(t.Place.place(), t.Heard)
		to.id = t.ID
		for _, r := range t.Releases {
			to.releases = append(to.releases, release{r.Revision, r.At})
		}
	}
	for _, c := range s.Commits {
		known, _ := f.commits.byRevision.Heard(c.Revision, c.Heard)
		*known = commit{c.Base, time.Unix(c.Committed, 0).UTC(), c.Targets}
	}
	for _, a := range s.Arrivals {
		f.leads.waiting = append(f.leads.waiting, arrival{a.Revision, a.Subject, a.To.place(), a.At, a.Heard, a.Baseline, a.Missing})
	}
}

func exported(p place) savedPlace {
	return savedPlace{p.owner, p.repository, p.service, p.environment}
}

func (p savedPlace) place() place { return place{p.Owner, p.Repository, p.Service, p.Environment} }
