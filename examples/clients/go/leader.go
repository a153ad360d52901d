// Package main asks the gate of the LeaderGroup operator before it acts. Copy this file; it needs nothing but the standard library.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Gate is the member URL of this pod.
type Gate struct {
	URL    string
	Client *http.Client
}

// Leadership is a yes: what is not done by Until must not be done.
type Leadership struct {
	// Token rises with each leader: whatever is acted on should refuse one lower than the highest it has seen.
	Token uint64
	// Until is on the monotonic clock.
	Until time.Time
}

// GateFromEnvironment reads LEADERGROUP_GATE (default: the operator's Service), LEADERGROUP_NAME, POD_NAMESPACE and POD_NAME.
func GateFromEnvironment() Gate {
	base := os.Getenv("LEADERGROUP_GATE")
	if base == "" {
		base = "http://leadergroup.leadergroup-system.svc:8080"
	}
	path := fmt.Sprintf("/v1/namespaces/%s/leadergroups/%s/members/%s", url.PathEscape(os.Getenv("POD_NAMESPACE")),
		url.PathEscape(os.Getenv("LEADERGROUP_NAME")), url.PathEscape(os.Getenv("POD_NAME")))
	return Gate{URL: base + path, Client: &http.Client{Timeout: time.Second}}
}

// Ask returns false when this pod does not lead, or when nobody can say so: do not act.
func (g Gate) Ask(ctx context.Context) (Leadership, bool) {
	// Before the question: the answer may have been on its way for as long as it took.
	asked := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL, nil)
	if err != nil {
		return Leadership{}, false
	}
	response, err := g.Client.Do(request)
	if err != nil {
		return Leadership{}, false
	}
	defer response.Body.Close()
	var body struct {
		Token                uint64 `json:"token"`
		ValidForMilliseconds int64  `json:"validForMilliseconds"`
	}
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&body) != nil {
		return Leadership{}, false
	}
	return Leadership{body.Token, asked.Add(time.Duration(body.ValidForMilliseconds) * time.Millisecond)}, true
}

// RunWhileLeader runs fn whenever this pod leads, until ctx is done. The context given to fn is done as soon as the pod may not act
// any more; fn has to return then, and is waited for before it is run again.
func (g Gate) RunWhileLeader(ctx context.Context, fn func(ctx context.Context, token uint64)) {
	for ctx.Err() == nil {
		if leadership, ok := g.Ask(ctx); ok {
			g.lead(ctx, leadership, fn)
		} else {
			sleep(ctx, 500*time.Millisecond)
		}
	}
}

func (g Gate) lead(ctx context.Context, leadership Leadership, fn func(ctx context.Context, token uint64)) {
	office, resign := context.WithCancel(ctx)
	defer resign()
	over := time.AfterFunc(time.Until(leadership.Until), resign)
	defer over.Stop()
	working := make(chan struct{})
	go func() {
		defer close(working)
		defer resign()
		fn(office, leadership.Token)
	}()
	for office.Err() == nil {
		// A third of the time that is left, so that one lost answer does no harm.
		sleep(office, max(time.Until(leadership.Until)/3, 10*time.Millisecond))
		next, ok := g.Ask(office)
		if !ok || office.Err() != nil {
			continue
		}
		if next.Token != leadership.Token {
			break
		}
		leadership = next
		over.Reset(time.Until(next.Until))
	}
	resign()
	<-working
}

func sleep(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}
