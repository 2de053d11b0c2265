package onboarding

import (
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Request says that a service was asked for, or that nobody waits for it any more. Origin.Subject is the ticket, task or
// repository that says so.
type Request struct {
	event.Origin
	Service   string // the name by which its deployments go, or that of its repository
	Team      string // who asked, or empty
	Abandoned bool
}

// Event returns the request as an event.
func (r Request) Event() event.Event {
	name := event.OnboardingRequested
	if r.Abandoned {
		name = event.OnboardingAbandoned
	}
	return r.Origin.Event(name, time.Time{}, event.String(event.Service, r.Service), event.String(event.Team, r.Team))
}

// requestOf reads back what Event wrote.
func requestOf(e event.Event) (r Request, ok bool) {
	r = Request{
		Origin: e.Origin(), Service: e.Attrs.Text(event.Service), Team: e.Attrs.Text(event.Team),
		Abandoned: e.Name == event.OnboardingAbandoned,
	}
	return r, (r.Abandoned || e.Name == event.OnboardingRequested) && r.Service != ""
}

// deployedTo returns the services that an event brought to production: what was deployed, and its repository if that is
// another name.
func deployedTo(e event.Event) []string {
	if e.Name != event.DeploymentFinished || e.Attrs.Text(event.Tier) != "production" || e.Attrs.Text(event.DeploymentState) != "succeeded" {
		return nil
	}
	var names []string
	for _, name := range []string{e.Attrs.Text(event.Service), e.Attrs.Text(event.Repository)} {
		if name = fold(name); name != "" && (len(names) == 0 || names[0] != name) {
			names = append(names, name)
		}
	}
	return names
}

// fold returns the form in which names of services are compared: lower case, without owner or folder.
func fold(name string) string {
	return strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
}
