// Package main asks the gate of the LeaderGroup operator before it acts. Copy this file and once.go; they need nothing but the standard library.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	chance "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// The gate promises no more at a time; an answer that does is none of its.
	maxValidMilliseconds = 2000
	// Beyond it JavaScript, which the gate is written in, takes neighbours for the same number.
	maxToken = 1<<53 - 1

	answerWithin = time.Second
	// After so long without an answer another replica is asked as well.
	secondAfter = 150 * time.Millisecond
	askAgain    = 500 * time.Millisecond
	// So long a pod that does not lead waits for news. Not longer: the replica that it waits for may have died with the leader.
	newsWithin = 2 * time.Second
	// Who is answered within this time without a grant pauses before it asks again, twice as long each time.
	quick      = 300 * time.Millisecond
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
	// After so long, and again and again, people are told of work that has not ended with its term.
	overrun = 10 * time.Second
)

// Gate is where this pod asks for itself.
type Gate struct {
	// From the origin of a replica on.
	path, release, self string
	uid                 string
	// Of a ServiceAccount token of audience leadergroup, for an operator that asks for one.
	tokenFile string
	replicas  *replicas
	client    *http.Client
	mutex     sync.Mutex
	told      map[string]bool
	// By series: the calls of Once whose position is not settled. Closed when its turn has come.
	lines map[string][]chan struct{}
	// The terms that have ended.
	releasing sync.WaitGroup
	// With a leader probe the pod must be heard so often, whatever it is told; 0: there is none.
	within time.Duration
	asked  time.Time
	// The gate has said that asking again sooner brings nothing.
	rest time.Time
}

// GateFromEnvironment reads LEADERGROUP_GATE (URLs of the operator's replicas, with commas between them; each address behind the name of an
// http URL is a replica; default: the operator's headless Service), LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME and POD_UID (a pod that is made
// again has the name of the old one, which may still run), and LEADERGROUP_TOKEN_FILE, if there is one.
func GateFromEnvironment() (*Gate, error) {
	values := []any{}
	for _, name := range []string{"POD_NAMESPACE", "LEADERGROUP_NAME", "POD_NAME"} {
		values = append(values, url.PathEscape(os.Getenv(name)))
	}
	for _, name := range []string{"POD_NAMESPACE", "LEADERGROUP_NAME", "POD_NAME", "POD_UID"} {
		if os.Getenv(name) == "" {
			return nil, fmt.Errorf("%s is not set: give it in the pod's manifest (POD_* by the downward API: metadata.namespace, .name, .uid)", name)
		}
	}
	urls := os.Getenv("LEADERGROUP_GATE")
	if urls == "" {
		urls = "http://leadergroup-replicas.leadergroup-system.svc:8080"
	}
	member, uid := fmt.Sprintf("/v1/namespaces/%s/leadergroups/%s/members/%s", values...), "?uid="+url.QueryEscape(os.Getenv("POD_UID"))
	return &Gate{
		path: member + uid, release: member + "/release" + uid, self: "/v1/self" + uid,
		uid: os.Getenv("POD_UID"), tokenFile: os.Getenv("LEADERGROUP_TOKEN_FILE"),
		replicas: &replicas{urls: strings.Split(urls, ","), lookup: net.DefaultResolver.LookupNetIP, first: chance.IntN(1000)},
		// No redirect, and no proxy: the gate knows this pod by its address.
		client: &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		told:   map[string]bool{},
	}, nil
}

// replicas are the addresses of all, looked up again after five seconds.
type replicas struct {
	urls   []string
	lookup func(ctx context.Context, network, name string) ([]netip.Addr, error)
	mutex  sync.Mutex
	known  []string
	since  time.Time
	// Where to ask first.
	first int
	// Closed when a look-up is done; nil: none is under way.
	looking chan struct{}
}

// inOrder is where to ask, one after the other. It waits only for the first addresses of all.
func (r *replicas) inOrder(ctx context.Context) []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.looking == nil && (r.known == nil || time.Since(r.since) > 5*time.Second) {
		r.looking = make(chan struct{})
		go r.look(r.looking)
	}
	if looking := r.looking; r.known == nil {
		r.mutex.Unlock()
		select {
		case <-looking:
		case <-ctx.Done():
		}
		r.mutex.Lock()
	}
	order := []string{}
	for at := range r.known {
		order = append(order, r.known[(r.first+at)%len(r.known)])
	}
	return order
}

func (r *replicas) look(done chan struct{}) {
	defer close(done)
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	found := []string{}
	for _, base := range r.urls {
		found = append(found, r.originsOf(ctx, strings.TrimRight(strings.TrimSpace(base), "/"))...)
	}
	slices.Sort(found)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	// One that cannot be found now may still be there.
	if len(found) > 0 {
		r.known = slices.Compact(found)
	}
	r.since, r.looking = time.Now(), nil
}

// originsOf are all behind a name, of one family: a replica may have an address of each. By https it is the name that is verified, and asked.
func (r *replicas) originsOf(ctx context.Context, base string) []string {
	at, err := url.Parse(base)
	if err != nil {
		return nil
	}
	if _, err := netip.ParseAddr(at.Hostname()); at.Scheme != "http" || err == nil {
		return []string{base}
	}
	found, err := r.lookup(ctx, "ip", at.Hostname())
	if err != nil {
		return nil
	}
	origins, port := []string{}, at.Port()
	if port == "" {
		port = "80"
	}
	for _, address := range found {
		if address.Unmap().Is4() == found[0].Unmap().Is4() {
			origins = append(origins, "http://"+net.JoinHostPort(address.Unmap().String(), port)+at.Path)
		}
	}
	return origins
}

// prefer asks this one first from now on; "": another one than so far.
func (r *replicas) prefer(base string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if at := slices.Index(r.known, base); at >= 0 {
		r.first = at
	} else {
		r.first++
	}
}

type question struct {
	method, path string
	// JSON; nil: none.
	body []byte
	// Where that stands, is asked.
	series string
	// Of the term; "": for a grant that is not to be released.
	secret string
	// The gate may take its time for it, so long: it is asked of one replica alone.
	wait time.Duration
}

type reply struct {
	base   string
	status int
	text   []byte
	// Before the question: the answer may have been on its way for as long as it took.
	asked time.Time
}

// exchange asks one replica. Status 0: no answer.
func (g *Gate) exchange(ctx context.Context, base string, q question, limit time.Duration) reply {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	none := reply{base: base}
	request, err := http.NewRequestWithContext(ctx, q.method, base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return none
	}
	if q.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	// Read each time: the kubelet renews the file. One that cannot be read is no reason not to ask.
	if token, err := os.ReadFile(g.tokenFile); err == nil {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	if q.secret != "" {
		request.Header.Set("LeaderGroup-Client", q.secret)
	}
	asked := time.Now()
	response, err := g.client.Do(request)
	if err != nil {
		return none
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return none
	}
	return reply{base, response.StatusCode, text, asked}
}

// hear returns whether there was a good answer; good says which one is. A replica has 150 ms, then another one is asked at the same time; after
// a bad answer the next one is, too. None is asked twice at once: where only one address is known its question is given up before it is put
// again, by a new connection, for behind the address of a Service another replica may answer.
func (g *Gate) hear(stopped context.Context, q question, good func(reply) bool) bool {
	limit, first := answerWithin, answerWithin
	if q.wait > 0 {
		limit, first = q.wait, q.wait
	}
	ctx, over := context.WithTimeout(stopped, limit)
	defer over()
	left := g.replicas.inOrder(ctx)
	alone := len(left) == 1 && q.wait == 0
	if alone {
		left, first = append(left, left[0]), secondAfter
	}
	replies, pending := make(chan reply, len(left)), 0
	next := func(limit time.Duration) {
		if len(left) > 0 {
			base := left[0]
			left, pending = left[1:], pending+1
			go func() { replies <- g.exchange(ctx, base, q, limit) }()
		}
	}
	var second <-chan time.Time
	if !alone && q.wait == 0 {
		second = time.After(secondAfter)
	}
	for next(first); pending > 0; {
		select {
		case <-ctx.Done():
			pending = 0
		case <-second:
			next(limit)
		case said := <-replies:
			pending--
			if said.status != 0 && good(said) {
				g.replicas.prefer(said.base)
				return true
			}
			if !alone || said.status == 0 {
				next(limit)
			}
		}
	}
	// Not of one that was called off.
	if stopped.Err() == nil {
		g.replicas.prefer("")
	}
	return false
}

// warn tells each thing once, with the first reply that it is said of.
func (g *Gate) warn(what string, r reply) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if !g.told[what] {
		log.Printf("%s: %d %s", what, r.status, strings.TrimSpace(string(r.text)))
	}
	g.told[what] = true
}

type kind int

const (
	// Nobody can say.
	unknown kind = iota
	grant
	// Another pod leads, or none does.
	no
	// This pod leads, but gets no more grants.
	revoking
	// The secret is that of a term which was released.
	released
)

type answer struct {
	kind       kind
	token      uint64
	leadership Leadership
}

// read returns false where the next replica may know better.
func (g *Gate) read(r reply) (answer, bool) {
	if r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
		g.warn("the gate refuses", r)
	}
	var body struct {
		Leader               bool   `json:"leader"`
		UID                  string `json:"uid"`
		Token                uint64 `json:"token"`
		ValidForMilliseconds uint64 `json:"validForMilliseconds"`
		AskWithin            int64  `json:"askWithinMilliseconds"`
		Reason               string `json:"reason"`
		RetryAfter           int64  `json:"retryAfterMilliseconds"`
	}
	switch r.status {
	case http.StatusOK, http.StatusConflict, http.StatusTooManyRequests:
	default:
		return answer{}, false
	}
	if json.Unmarshal(r.text, &body) != nil {
		return answer{}, false
	}
	g.mutex.Lock()
	g.rest = time.Now().Add(milliseconds(body.RetryAfter))
	if r.status != http.StatusTooManyRequests {
		g.within = milliseconds(body.AskWithin)
	}
	g.mutex.Unlock()
	if r.status == http.StatusTooManyRequests {
		return answer{}, false
	}
	if r.status == http.StatusConflict {
		said := answer{kind: no, token: body.Token}
		switch body.Reason {
		case "Revoking":
			said.kind = revoking
		case "Released":
			said.kind = released
		}
		return said, true
	}
	until := r.asked.Add(time.Duration(min(body.ValidForMilliseconds, maxValidMilliseconds)) * time.Millisecond)
	good := body.Leader && body.UID == g.uid && body.Token >= 1 && body.Token <= maxToken &&
		body.ValidForMilliseconds <= maxValidMilliseconds && time.Now().Before(until)
	return answer{grant, body.Token, Leadership{body.Token, until}}, good
}

func (g *Gate) question(ctx context.Context, secret string) answer {
	g.mutex.Lock()
	g.asked = time.Now()
	g.mutex.Unlock()
	return g.say(ctx, question{method: http.MethodGet, path: g.path, secret: secret})
}

func (g *Gate) say(ctx context.Context, q question) (said answer) {
	g.hear(ctx, q, func(r reply) (good bool) {
		if q.wait > 0 {
			// A grant that was waited for is over when it comes: it says that it is worth asking.
			r.asked = time.Now()
		}
		answered, good := g.read(r)
		if good {
			said = answered
		}
		return good
	})
	return said
}

// milliseconds of the gate, which says no more than a minute.
func milliseconds(said int64) time.Duration {
	return time.Duration(min(max(0, said), 60_000)) * time.Millisecond
}

// due is in how long the next question has to be asked, if not within `most`.
func (g *Gate) due(most time.Duration) time.Duration {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.within == 0 {
		return most
	}
	return min(most, time.Until(g.asked.Add(g.within)))
}

// again is in how long to ask again: so long, or when the gate has said; but when the pod must be heard all the same.
func (g *Gate) again(pause time.Duration) time.Duration {
	g.mutex.Lock()
	rest := time.Until(g.rest)
	g.mutex.Unlock()
	return g.due(max(pause, rest))
}

// Leadership is a grant: what is not done by Until must not be done.
type Leadership struct {
	// Token rises with each leader: whatever is acted on should refuse one lower than the highest it has seen.
	Token uint64
	// Until is on the monotonic clock.
	Until time.Time
}

// Ask returns false when this pod does not lead, or when nobody can say so: do not act.
func (g *Gate) Ask(ctx context.Context) (Leadership, bool) {
	said := g.question(ctx, "")
	return said.leadership, said.kind == grant
}

// Term lasts from the first grant to the end of the last one.
type Term struct {
	Token   uint64
	gate    *Gate
	office  context.Context
	mutex   sync.Mutex
	until   time.Time
	resigns bool
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

// Resign has another pod lead, if one can, once fn has returned; it should do so now.
func (t *Term) Resign() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.resigns = true
}

func (t *Term) resigned() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.resigns
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

// RunWhileLeader runs fn whenever this pod leads, until ctx is done (on SIGTERM). The context given to fn is done when its term is over: to end
// what waits, not to decide whether to act. fn has to return then, and is waited for before it is run again: nothing is asked meanwhile, and
// every ten seconds the log says so. It is also run again, half a second later, if it returns while the pod leads. The term is released once
// fn has returned. fn runs in the caller's goroutine, where a panic of it can be recovered.
func (g *Gate) RunWhileLeader(ctx context.Context, fn func(ctx context.Context, term *Term)) {
	go g.introduce(ctx)
	defer g.releasing.Wait()
	// Of a term, drawn for it alone, and after any fork: a late copy of its release must not end the next one.
	secret, failures := rand.Text(), 0
	for ctx.Err() == nil {
		begun := time.Now()
		said := g.question(ctx, secret)
		switch said.kind {
		case grant:
			g.lead(ctx, said.leadership, secret, fn)
			secret, failures = rand.Text(), 0
			sleep(ctx, g.again(askAgain))
			continue
		case no:
			g.news(ctx, said.token, secret)
		case released:
			secret = rand.Text()
		}
		if failures++; said.kind == no && time.Since(begun) >= quick {
			failures = 0
			continue
		}
		// Half of it by chance: many may pause at the same moment.
		pause := min(maxPause, firstPause<<min(failures, 10))
		sleep(ctx, g.again(pause/2+chance.N(pause/2)))
	}
}

// news returns when there may be some for whoever knows this token, or something went wrong.
func (g *Gate) news(ctx context.Context, token uint64, secret string) {
	for ctx.Err() == nil {
		g.mutex.Lock()
		g.asked = time.Now()
		g.mutex.Unlock()
		begun, wait := time.Now(), g.due(newsWithin)
		// The answer has to come before the pod must be heard again.
		path := fmt.Sprintf("%s&wait=%dms&token=%d", g.path, wait.Milliseconds()*8/10, token)
		said := g.say(ctx, question{method: http.MethodGet, path: path, secret: secret, wait: wait})
		if said.kind != no || time.Since(begun) < quick {
			return
		}
		token = said.token
	}
}

func (g *Gate) lead(ctx context.Context, first Leadership, secret string, fn func(ctx context.Context, term *Term)) {
	office, end := context.WithCancel(ctx)
	term := &Term{Token: first.Token, gate: g, office: office, until: first.Until}
	var others sync.WaitGroup
	ended := make(chan struct{})
	// The last of all: fn has returned. Not waited for here: while nobody answers it, the pod must be heard all the same, or it would be taken for
	// one that hangs.
	defer func() {
		resigns := term.resigned()
		g.releasing.Go(func() { g.endTerm(secret, resigns) })
	}()
	defer others.Wait()
	defer close(ended)
	defer end()
	others.Go(func() {
		defer end()
		g.renew(office, term, secret)
	})
	others.Go(func() {
		for term.Holds() {
			sleep(office, time.Until(term.Until()))
		}
		end()
		for {
			select {
			case <-ended:
				return
			case <-time.After(overrun):
				log.Printf("the work of token %d goes on although its term is over", term.Token)
			}
		}
	})
	if term.Holds() {
		fn(office, term)
	}
}

// renew returns when the term is over.
func (g *Gate) renew(office context.Context, term *Term, secret string) {
	for term.Holds() {
		// A third of the time that is left, so that one lost answer does no harm.
		sleep(office, g.again(min(time.Until(term.Until())/3, askAgain)))
		next := g.question(office, secret)
		if next.kind == unknown || next.kind == no {
			continue
		}
		if next.kind != grant || !term.extend(next.leadership) {
			return
		}
	}
}

// endTerm says that nobody needs to wait for the grants of this term any more. If nobody hears it, they run out.
func (g *Gate) endTerm(secret string, resigns bool) {
	path := g.release
	if resigns {
		path += "&resign=true"
	}
	for range 2 {
		if g.hear(context.Background(), question{method: http.MethodPost, path: path, secret: secret}, func(r reply) bool {
			if r.status == http.StatusForbidden {
				g.warn("the gate takes no release of this pod", r)
			}
			// 404 and 405: of an older replica, which does not know releases.
			return r.status < http.StatusInternalServerError && r.status != http.StatusNotFound && r.status != http.StatusMethodNotAllowed
		}) {
			return
		}
	}
}

// introduce says once if the gate does not know that it is this pod that asks; a new pod may be known after some seconds.
func (g *Gate) introduce(ctx context.Context) {
	var last reply
	for range 10 {
		last = reply{}
		if g.hear(ctx, question{method: http.MethodGet, path: g.self}, func(r reply) bool {
			last = r
			return r.status == http.StatusOK
		}) {
			return
		}
		sleep(ctx, time.Second)
	}
	if last.status != 0 && ctx.Err() == nil {
		g.warn("the gate does not know that it is this pod that asks", last)
	}
}

func sleep(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(max(duration, 10*time.Millisecond)):
	}
}
