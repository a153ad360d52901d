// Package main asks the gate of the LeaderGroup operator before it acts. Copy this file; it needs nothing but the standard library.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// The gate promises no more at a time; an answer that does is none of its.
	maxValidMilliseconds = 2000
	// Beyond it JavaScript, which the gate is written in, takes neighbours for the same number.
	maxToken = 1<<53 - 1
)

// Gate is the member URL of this pod.
type Gate struct {
	url, self, uid string
	// Of a ServiceAccount token of audience leadergroup, for an operator that asks for one.
	tokenFile string
	client    *http.Client
	// In milliseconds: with a leader probe the pod must be heard so often, whatever it is told.
	within *atomic.Int64
	// Of one term: drawn for it alone, so that a late copy of its release cannot end the next one. Empty: its grants run out.
	secret string
	// The lock is about to leave this pod. nil outside of a term.
	revoking *atomic.Bool
}

// GateFromEnvironment reads LEADERGROUP_GATE (default: the operator's Service), LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME and POD_UID
// (a pod that is made again has the name of the old one, which may still run), and LEADERGROUP_TOKEN_FILE, if there is one.
func GateFromEnvironment() (Gate, error) {
	values := []any{}
	for _, name := range []string{"POD_NAMESPACE", "LEADERGROUP_NAME", "POD_NAME", "POD_UID"} {
		if os.Getenv(name) == "" {
			return Gate{}, fmt.Errorf("%s is not set: give it in the pod's manifest (POD_* by the downward API: metadata.namespace, .name, .uid)", name)
		}
		values = append(values, url.PathEscape(os.Getenv(name)))
	}
	base := os.Getenv("LEADERGROUP_GATE")
	if base == "" {
		base = "http://leadergroup.leadergroup-system.svc:8080"
	}
	at := base + fmt.Sprintf("/v1/namespaces/%s/leadergroups/%s/members/%s?uid=%s", values...)
	return Gate{
		url:       at,
		self:      base + "/v1/self?uid=" + url.QueryEscape(os.Getenv("POD_UID")),
		uid:       os.Getenv("POD_UID"),
		tokenFile: os.Getenv("LEADERGROUP_TOKEN_FILE"),
		client:    &http.Client{Timeout: time.Second},
		within:    &atomic.Int64{},
	}, nil
}

// get sends the token along, read each time: the kubelet renews the file. One that cannot be read is no reason not to ask.
func (g Gate) get(ctx context.Context, url string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if token, unread := os.ReadFile(g.tokenFile); err == nil && unread == nil {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	if err == nil && g.secret != "" {
		request.Header.Set("LeaderGroup-Client", g.secret)
	}
	return request, err
}

// release says that nobody needs to wait for the grants of this term any more. If nobody hears it, they run out.
func (g Gate) release() {
	for range 2 {
		request, err := g.get(context.Background(), strings.Replace(g.url, "?uid=", "/release?uid=", 1))
		if err != nil {
			return
		}
		request.Method = http.MethodPost
		if response, err := g.client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode < http.StatusInternalServerError {
				return
			}
		}
	}
}

// Introduce says once, on stderr, if the gate does not know that it is this pod that asks; a new pod may be known after some seconds.
func (g Gate) Introduce(ctx context.Context) {
	said := ""
	for range 10 {
		said = ""
		if request, err := g.get(ctx, g.self); err == nil {
			if response, err := g.client.Do(request); err == nil {
				text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					return
				}
				said = fmt.Sprintf("%d %s", response.StatusCode, strings.TrimSpace(string(text)))
			}
		}
		sleep(ctx, time.Second)
	}
	if said != "" && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "the gate does not know that it is this pod that asks: "+said)
	}
}

// Leadership is a grant: what is not done by Until must not be done.
type Leadership struct {
	// Token rises with each leader: whatever is acted on should refuse one lower than the highest it has seen.
	Token uint64
	// Until is on the monotonic clock.
	Until time.Time
}

// Ask returns false when this pod does not lead, or when nobody can say so: do not act.
func (g Gate) Ask(ctx context.Context) (Leadership, bool) {
	request, err := g.get(ctx, g.url)
	if err != nil {
		return Leadership{}, false
	}
	// Before the question: the answer may have been on its way for as long as it took.
	asked := time.Now()
	response, err := g.client.Do(request)
	if err != nil {
		return Leadership{}, false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	var body struct {
		Leader               bool   `json:"leader"`
		UID                  string `json:"uid"`
		Token                uint64 `json:"token"`
		ValidForMilliseconds uint64 `json:"validForMilliseconds"`
		AskWithin            int64  `json:"askWithinMilliseconds"`
		Reason               string `json:"reason"`
	}
	if err != nil || json.Unmarshal(text, &body) != nil {
		return Leadership{}, false
	}
	if body.AskWithin >= 10 {
		g.within.Store(body.AskWithin)
	}
	if response.StatusCode == http.StatusConflict && body.Reason == "Revoking" && g.revoking != nil {
		g.revoking.Store(true)
	}
	if response.StatusCode != http.StatusOK {
		return Leadership{}, false
	}
	until := asked.Add(time.Duration(min(body.ValidForMilliseconds, maxValidMilliseconds)) * time.Millisecond)
	grant := body.Leader && body.UID == g.uid && body.Token >= 1 && body.Token <= maxToken &&
		body.ValidForMilliseconds <= maxValidMilliseconds && time.Now().Before(until)
	return Leadership{body.Token, until}, grant
}

// Term lasts from the first grant to the end of the last one.
type Term struct {
	Token  uint64
	office context.Context
	mutex  sync.Mutex
	until  time.Time
}

// Until moves on with each answer.
func (t *Term) Until() time.Time {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.until
}

// Holds says whether the pod may still act, by the clock. Look at it right before each step that cannot be undone: a process that was
// frozen goes on where it stood, before any timer or context has told it that its time is over. Once false, false for good.
func (t *Term) Holds() bool {
	return t.office.Err() == nil && time.Now().Before(t.Until())
}

// extend returns false when the time was over before the answer came: it begins a new term, not this one once more.
func (t *Term) extend(next Leadership) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if next.Token != t.Token || !time.Now().Before(t.until) {
		return false
	}
	// A shorter grant takes nothing back of the one before it.
	if next.Until.After(t.until) {
		t.until = next.Until
	}
	return true
}

// RunWhileLeader runs fn whenever this pod leads, until ctx is done. The context given to fn is done when its term is over: to end what
// waits, not to decide whether to act. fn has to return then, and is waited for before it is run again; it is also run again, half a
// second later, if it returns while the pod leads. It runs in the caller's goroutine, where a panic of it can be recovered.
func (g Gate) RunWhileLeader(ctx context.Context, fn func(ctx context.Context, term *Term)) {
	for ctx.Err() == nil {
		g.secret, g.revoking = rand.Text(), &atomic.Bool{}
		if first, ok := g.Ask(ctx); ok {
			g.lead(ctx, first, fn)
		}
		sleep(ctx, g.again())
	}
}

func (g Gate) lead(ctx context.Context, first Leadership, fn func(ctx context.Context, term *Term)) {
	office, resign := context.WithCancel(ctx)
	term := &Term{Token: first.Token, office: office, until: first.Until}
	var others sync.WaitGroup
	others.Add(2)
	// The last of all: fn has returned.
	defer g.release()
	defer others.Wait()
	defer resign()
	go func() {
		defer others.Done()
		defer resign()
		g.renew(office, term)
	}()
	go func() {
		defer others.Done()
		defer resign()
		for term.Holds() {
			sleep(office, time.Until(term.Until()))
		}
	}()
	if term.Holds() {
		fn(office, term)
	}
}

// again is after how long the next question is due.
func (g Gate) again() time.Duration {
	if within := time.Duration(g.within.Load()) * time.Millisecond; within > 0 {
		return min(within, 500*time.Millisecond)
	}
	return 500 * time.Millisecond
}

// renew returns when the term is over.
func (g Gate) renew(office context.Context, term *Term) {
	for term.Holds() {
		// A third of the time that is left, so that one lost answer does no harm.
		sleep(office, max(min(time.Until(term.Until())/3, g.again()), 10*time.Millisecond))
		if next, ok := g.Ask(office); (ok && !term.extend(next)) || g.revoking.Load() {
			return
		}
	}
}

func sleep(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}
