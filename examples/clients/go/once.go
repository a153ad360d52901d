package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	chance "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Once per tick: each position of a series is given to one call, whoever leads. Copy this file along with leader.go.

// Mode says what becomes of a position that was given out and not done.
type Mode string

const (
	// AtMostOnce (default): it is never given out again.
	AtMostOnce Mode = "AtMostOnce"
	// AtLeastOnce: it is given out again, until somebody has said that it is done; then fn may be run for one position twice.
	AtLeastOnce Mode = "AtLeastOnce"
)

// OnceOptions of a call of Once; what is zero has its default.
type OnceOptions struct {
	Mode Mode
	// RetryAfter is of AtLeastOnce: given out again when it was neither done nor renewed for so long. Whole seconds; default: five minutes.
	RetryAfter time.Duration
	// Wait is for how long a pod that does not lead waits for the position to be claimed by the leader, or to lead itself; and with AtLeastOnce whoever
	// leads for an earlier one to be done. Below zero: it drops it at once. Default: 30 s, for all replicas call Once, and with AtLeastOnce RetryAfter
	// beyond that: what a dead leader was at holds up all later ones for so long. In a term it does not wait.
	Wait time.Duration
	// Patience is for how long, beyond Wait, it is asked again where nobody can say. Default: 2 s.
	Patience time.Duration
}

// Claim is what fn is to do.
type Claim struct {
	Series string `json:"series"`
	// Position may, with AtLeastOnce, be an earlier one than Once was called for, which nobody has done: that one is done first.
	Position int64 `json:"position"`
	// Token of the leader: whatever is acted on should refuse one lower than the highest it has seen.
	Token uint64 `json:"token"`
	// Attempt is how often the position was given out.
	Attempt int64 `json:"attempt"`
	// Given no earlier than this: the answer may be a late one, of which earlier ones got lost.
	since time.Time
}

// By is who has a position, and since when (RFC 3339).
type By struct {
	Pod   string `json:"pod"`
	UID   string `json:"uid"`
	Token uint64 `json:"token"`
	Time  string `json:"time"`
}

// OutcomeKind says what became of a position.
type OutcomeKind string

const (
	// Done: fn was run for it, and returned no error.
	Done OutcomeKind = "done"
	// Dropped: fn was not run for it, for Reason.
	Dropped OutcomeKind = "dropped"
	// Unknown: nobody could say, or nobody has claimed it in all the time. fn was not run for it, here, and perhaps nowhere.
	Unknown OutcomeKind = "unknown"
)

// Outcome of a call of Once.
type Outcome struct {
	Kind OutcomeKind
	// Claim is of Done.
	Claim Claim
	// Reported is of Done: the gate has noted it. False with AtLeastOnce: it may be done once more.
	Reported bool
	// Reason is of Dropped. Passed: it was given out, or a later one was, By says to whom. Pending: it or an earlier one was given out, and is neither done nor overdue.
	// NotLeader: the leader asks for itself. TermOver: it may be this term's, which was over before fn began.
	Reason string
	By     *By
	// Message is of Unknown, for people.
	Message string
}

// ClaimError: the gate does not take such a claim (400, 401, 403, too many series). The program or its manifest is wrong, or the group.
type ClaimError struct{ Message string }

func (e *ClaimError) Error() string { return e.Message }

var stopped = Outcome{Kind: Unknown, Message: "it was told to stop before the gate said"}

// Less is not worth a question.
const leastWait = 50 * time.Millisecond

type tick struct {
	series   string
	position int64
	OnceOptions
}

func newTick(series string, position int64, options []OnceOptions) tick {
	t := tick{series, position, OnceOptions{Mode: AtMostOnce, RetryAfter: 5 * time.Minute, Patience: 2 * time.Second}}
	for _, given := range options {
		if given.Mode != "" {
			t.Mode = given.Mode
		}
		if given.RetryAfter != 0 {
			t.RetryAfter = given.RetryAfter
		}
		if given.Wait != 0 {
			t.Wait = max(0, given.Wait)
		}
		if given.Patience != 0 {
			t.Patience = given.Patience
		}
	}
	return t
}

// mayWait has it wait, if nobody has said for how long.
func (t tick) mayWait(options []OnceOptions) tick {
	if slices.ContainsFunc(options, func(given OnceOptions) bool { return given.Wait != 0 }) {
		return t
	}
	t.Wait = 30 * time.Second
	if t.Mode == AtLeastOnce {
		t.Wait += t.RetryAfter
	}
	return t
}

// Once runs fn if the position of the series is given to this very call. Each replica calls it at each tick, whoever leads. The position rises with
// each tick: its scheduled time in milliseconds, a sequence number, an offset; not the time of the call, which differs from replica to replica. It
// returns the error of fn, and nothing is reported then; and a ClaimError where the call is wrong. The context of fn is done when ctx is, and
// when the position was given to somebody else; if fn gives up for that, it has to return an error. When ctx is done it asks no more, but once if
// the position may have been given to it by then, and then does it.
func (g *Gate) Once(ctx context.Context, series string, position int64, fn func(ctx context.Context, claim Claim) error, options ...OnceOptions) (Outcome, error) {
	return g.once(ctx, newTick(series, position, options).mayWait(options), fn, func(uint64) bool { return true })
}

// Once of a term does not wait to lead, and begins nothing once the term is over.
func (t *Term) Once(ctx context.Context, series string, position int64, fn func(ctx context.Context, claim Claim) error, options ...OnceOptions) (Outcome, error) {
	if !t.Holds() {
		return Outcome{Kind: Dropped, Reason: "TermOver"}, nil
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(t.office, end)()
	return t.gate.once(ctx, newTick(series, position, options), fn, func(token uint64) bool { return (token == 0 || token == t.Token) && t.Holds() })
}

// once: begins says whether fn may still be begun, for what is given under this token; 0: for anything.
func (g *Gate) once(ctx context.Context, t tick, fn func(context.Context, Claim) error, begins func(token uint64) bool) (Outcome, error) {
	waitUntil := time.Now().Add(t.Wait)
	turn, leave := g.join(t.series)
	defer leave()
	late := time.NewTimer(time.Until(waitUntil.Add(t.Patience)))
	defer late.Stop()
	select {
	case <-turn:
	default:
		select {
		case <-turn:
		case <-ctx.Done():
			return stopped, nil
		case <-late.C:
			return Outcome{Kind: Unknown, Message: fmt.Sprintf("an earlier call for %s was not answered in time", t.series)}, nil
		}
	}
	for {
		// What nobody has asked for is nobody's loss.
		if ctx.Err() != nil {
			return stopped, nil
		}
		// Of this claim alone, and drawn after any fork; its retries keep it.
		drawn := make([]byte, 16)
		if _, err := rand.Read(drawn); err != nil {
			return Outcome{}, err
		}
		id := hex.EncodeToString(drawn)
		claim, otherwise, err := g.claim(ctx, t, id, waitUntil, begins)
		if err != nil {
			return Outcome{}, err
		}
		if otherwise != nil {
			return *otherwise, nil
		}
		if claim.Position == t.position {
			leave()
		}
		if !begins(claim.Token) {
			return Outcome{Kind: Dropped, Reason: "TermOver"}, nil
		}
		reported, err := g.do(ctx, t, claim, id, fn)
		if err != nil {
			return Outcome{}, err
		}
		if claim.Position == t.position {
			return Outcome{Kind: Done, Claim: claim, Reported: reported}, nil
		}
		// It was an earlier one. What it was called for needs a claim of its own.
		waitUntil = time.Now().Add(t.Wait)
	}
}

// join has the calls for a series come one after the other: a later position that is given lets the earlier ones pass, also one that is still asked
// for. Whoever was first, and leaves, has the next one come.
func (g *Gate) join(series string) (turn chan struct{}, leave func()) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.lines == nil {
		g.lines = map[string][]chan struct{}{}
	}
	turn = make(chan struct{})
	g.lines[series] = append(g.lines[series], turn)
	if len(g.lines[series]) == 1 {
		close(turn)
	}
	return turn, func() {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		line := g.lines[series]
		at := slices.Index(line, turn)
		if at < 0 {
			return
		}
		line = slices.Delete(line, at, at+1)
		g.lines[series] = line
		if len(line) == 0 {
			delete(g.lines, series)
		} else if at == 0 {
			close(line[0])
		}
	}
}

// claim returns what was given, or what became of the position otherwise.
func (g *Gate) claim(ctx context.Context, t tick, id string, waitUntil time.Time, begins func(token uint64) bool) (Claim, *Outcome, error) {
	begun := time.Now()
	waits, failures := false, 0
	for {
		asked := time.Now()
		left, wait := waitUntil.Sub(asked), time.Duration(0)
		if waits && left > leastWait {
			// Not longer: the replica that it waits at may have died with the leader.
			wait = min(left, newsWithin)
		}
		asking := ctx
		if wait == 0 {
			// It is heard to its end: the position may have been given to it.
			asking = context.WithoutCancel(ctx)
		}
		r := g.tell(asking, question{method: http.MethodPost, path: "", body: t.body(id), wait: wait})
		said, slow := t.judge(r), time.Since(asked) >= quick
		if wait > 0 && said.kind == again && ctx.Err() != nil && begins(0) {
			// It was cut off, and is put once more for the same reason.
			waits = false
			continue
		}
		switch {
		case said.kind == given:
			said.claim.since = begun
			return said.claim, nil, nil
		case said.kind == passed:
			return Claim{}, &said.otherwise, nil
		case said.kind == refused && (said.final || time.Since(begun) >= t.Patience):
			return Claim{}, nil, &ClaimError{messageOf(r)}
		case ctx.Err() != nil:
			return Claim{}, &stopped, nil
		case said.kind == perhaps && left <= leastWait:
			return Claim{}, t.inVain(said.otherwise), nil
		}
		// 503: nobody leads, or a question that waits is at the end of its time.
		wakes := said.kind == perhaps || r.status == http.StatusServiceUnavailable && left > leastWait && (slow || !waits)
		if wakes && (!waits || slow) {
			waits, failures = true, 0
			continue
		}
		waits, failures = wakes, failures+1
		pause := said.rest
		if pause == 0 {
			// Half of it by chance: many may pause at the same moment.
			most := min(maxPause, firstPause<<min(failures, 10))
			pause = most/2 + chance.N(most/2)
		}
		if time.Now().Add(pause).After(waitUntil.Add(t.Patience)) {
			if said.kind == refused {
				return Claim{}, nil, &ClaimError{messageOf(r)}
			}
			return Claim{}, &Outcome{Kind: Unknown, Message: messageOf(r)}, nil
		}
		sleep(ctx, pause)
	}
}

// Standing says how far a series has come: the last position that was given out, to whichever call; false: none was. A process that begins anew
// begins after it: its first claim would let the ticks pass that nobody has claimed meanwhile. It asks until somebody says, and returns the error of ctx
// when that is done before; a ClaimError where the gate refuses the question.
func (g *Gate) Standing(ctx context.Context, series string) (position int64, given bool, err error) {
	begun := time.Now()
	for failures := 1; ctx.Err() == nil; failures++ {
		r := g.tell(ctx, question{method: http.MethodGet, series: series})
		var body struct {
			Position   json.RawMessage `json:"position"`
			RetryAfter int64           `json:"retryAfterMilliseconds"`
		}
		_ = json.Unmarshal(r.text, &body)
		switch r.status {
		case http.StatusOK:
			if string(body.Position) == "null" {
				return 0, false, nil
			}
			if json.Unmarshal(body.Position, &position) == nil && position > 0 {
				return position, true, nil
			}
		case http.StatusBadRequest:
			return 0, false, &ClaimError{messageOf(r)}
		case http.StatusUnauthorized, http.StatusForbidden:
			// A replica may not know the address of a new pod yet.
			if time.Since(begun) >= 2*time.Second {
				return 0, false, &ClaimError{messageOf(r)}
			}
		}
		most := min(maxPause, firstPause<<min(failures, 10))
		sleep(ctx, max(milliseconds(body.RetryAfter), most/2+chance.N(most/2)))
	}
	return 0, false, ctx.Err()
}

// tell asks about claims; path is what follows them. The last reply counts, if none was good.
func (g *Gate) tell(ctx context.Context, q question) (last reply) {
	path, uid, _ := strings.Cut(g.path, "?")
	q.path = path + "/claims" + q.path + "?" + uid
	if q.series != "" {
		q.path += "&series=" + url.QueryEscape(q.series)
	}
	if q.wait > 0 {
		// The answer has to come before its time is over.
		q.path += fmt.Sprintf("&wait=%dms", q.wait.Milliseconds()*8/10)
	}
	g.hear(ctx, q, func(r reply) bool {
		last = r
		switch r.status {
		case http.StatusOK, http.StatusCreated, http.StatusBadRequest, http.StatusConflict, http.StatusTooManyRequests:
			return true
		}
		return false
	})
	return last
}

// do runs fn, and reports it where that matters.
func (g *Gate) do(ctx context.Context, t tick, claim Claim, id string, fn func(context.Context, Claim) error) (bool, error) {
	if t.Mode != AtLeastOnce {
		return true, fn(ctx, claim)
	}
	renewed := make(chan struct{})
	working, end := context.WithCancel(ctx)
	over, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(renewed)
		if !g.renewClaim(over, t, claim, id) {
			end()
		}
	}()
	err := func() error {
		defer func() {
			stop()
			<-renewed
			end()
		}()
		return fn(working, claim)
	}()
	if err != nil {
		return false, err
	}
	return g.reportDone(ctx, t, claim, id), nil
}

// renewClaim returns false when somebody else has the position by now: while it is being done, also by a call that takes long, it is not given out again.
func (g *Gate) renewClaim(over context.Context, t tick, claim Claim, id string) bool {
	for pause := t.RetryAfter/3 - time.Since(claim.since); ; {
		sleep(over, pause)
		if over.Err() != nil {
			return true
		}
		switch g.tell(over, question{method: http.MethodPut, path: "/renew", body: reportOf(claim, id)}).status {
		case http.StatusOK:
			pause = t.RetryAfter / 3
		case http.StatusConflict:
			return over.Err() != nil
		default:
			pause = min(t.RetryAfter/3, maxPause)
		}
	}
}

// reportDone says so at least for as long as nobody else is given it.
func (g *Gate) reportDone(ctx context.Context, t tick, claim Claim, id string) bool {
	begun, always := time.Now(), context.WithoutCancel(ctx)
	for failures := 1; ; failures++ {
		said := g.tell(always, question{method: http.MethodPut, path: "/done", body: reportOf(claim, id)})
		status := said.status
		if status == http.StatusOK || status == http.StatusConflict && isPast(said, claim) {
			return true
		}
		limit := max(t.Patience, t.RetryAfter/3)
		if ctx.Err() != nil {
			limit = t.Patience
		}
		if status == http.StatusConflict || time.Since(begun) >= limit {
			log.Printf("%s %d is done, but the gate has not noted it", claim.Series, claim.Position)
			return false
		}
		most := min(maxPause, firstPause<<min(failures, 10))
		sleep(always, most/2+chance.N(most/2))
	}
}

// isPast: a later position is given out only when this one is done. It was noted before, and the answer got lost.
func isPast(r reply, claim Claim) bool {
	var stands struct {
		Position int64 `json:"position"`
	}
	return json.Unmarshal(r.text, &stands) == nil && stands.Position > claim.Position
}

func (t tick) body(id string) []byte {
	said := map[string]any{"series": t.series, "position": t.position, "id": id, "mode": t.Mode}
	if t.Mode == AtLeastOnce {
		said["retryAfterSeconds"] = int64(t.RetryAfter / time.Second)
	}
	text, _ := json.Marshal(said)
	return text
}

func reportOf(claim Claim, id string) []byte {
	text, _ := json.Marshal(map[string]any{"series": claim.Series, "position": claim.Position, "id": id})
	return text
}

// inVain: whoever has waited has seen nobody claim it.
func (t tick) inVain(otherwise Outcome) *Outcome {
	if otherwise.Reason == "NotLeader" && t.Wait > 0 {
		return &Outcome{Kind: Unknown, Message: fmt.Sprintf("nobody has claimed this position of %s within %v", t.series, t.Wait)}
	}
	return &otherwise
}

type judgement int

const (
	// Ask again.
	again judgement = iota
	given
	passed
	// Whoever waits may hear otherwise.
	perhaps
	refused
)

type judged struct {
	kind      judgement
	claim     Claim
	otherwise Outcome
	// Of again: not sooner.
	rest time.Duration
	// Of refused: it would be by any replica.
	final bool
}

// judge says what one reply says.
func (t tick) judge(r reply) judged {
	var body struct {
		Claim
		Claimed    *bool  `json:"claimed"`
		Reason     string `json:"reason"`
		By         *By    `json:"by"`
		RetryAfter int64  `json:"retryAfterMilliseconds"`
	}
	isJSON := json.Unmarshal(r.text, &body) == nil
	claimed := isJSON && body.Claimed != nil && *body.Claimed
	switch r.status {
	case http.StatusCreated:
		if claimed && t.fits(body.Claim) {
			return judged{kind: given, claim: body.Claim}
		}
	case http.StatusConflict:
		if !isJSON || body.Claimed == nil || claimed {
			return judged{}
		}
		otherwise := Outcome{Kind: Dropped, Reason: body.Reason, By: body.By}
		switch body.Reason {
		case "Passed":
			return judged{kind: passed, otherwise: otherwise}
		case "Pending", "NotLeader":
			return judged{kind: perhaps, otherwise: otherwise}
		}
	case http.StatusTooManyRequests:
		// Its ticks should be positions of one series.
		if body.Reason == "TooManySeries" {
			return judged{kind: refused, final: true}
		}
		return judged{rest: milliseconds(body.RetryAfter)}
	case http.StatusBadRequest:
		return judged{kind: refused, final: true}
	case http.StatusUnauthorized, http.StatusForbidden:
		// A replica may not know the address of a new pod yet.
		return judged{kind: refused}
	}
	return judged{}
}

// fits: it is what was asked for, or an earlier one of AtLeastOnce.
func (t tick) fits(claim Claim) bool {
	lowest := t.position
	if t.Mode == AtLeastOnce {
		lowest = 0
	}
	return claim.Series == t.series && claim.Position >= lowest && claim.Position <= t.position &&
		claim.Token >= 1 && claim.Token <= maxToken && claim.Attempt >= 1
}

func messageOf(r reply) string {
	if r.status == 0 {
		return "the gate has not answered"
	}
	return fmt.Sprintf("the gate said %d %s", r.status, strings.TrimSpace(string(r.text)))
}
