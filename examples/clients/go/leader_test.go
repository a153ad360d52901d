package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func gateAt(urls ...string) *Gate {
	return &Gate{
		path: "/m?uid=u", release: "/m/release?uid=u", self: "/v1/self?uid=u", uid: "u",
		replicas: &replicas{urls: urls}, client: &http.Client{}, told: map[string]bool{},
	}
}

// serve answers questions and releases, and knows who asks.
func serve(t *testing.T, answer http.HandlerFunc) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/self" {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// gateThatSays a grant with these tokens, one after the other; the last one from then on.
func gateThatSays(t *testing.T, valid int, tokens ...int) *Gate {
	asked := 0
	return gateAt(serve(t, func(w http.ResponseWriter, _ *http.Request) {
		token := tokens[min(asked, len(tokens)-1)]
		asked++
		fmt.Fprintf(w, `{"leader":true,"uid":"u","token":%d,"validForMilliseconds":%d}`, token, valid)
	}))
}

func TestATermHoldsAsLongAsYesFollowsYes(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	gateThatSays(t, 300, 7).RunWhileLeader(ctx, func(ctx context.Context, term *Term) {
		first := term.Until()
		sleep(ctx, time.Second)
		if !term.Holds() || term.Until().Sub(first) < 500*time.Millisecond {
			t.Errorf("holds %v until %v, first %v", term.Holds(), term.Until(), first)
		}
		stop()
		if term.Holds() {
			t.Error("holds although it was told to stop")
		}
	})
}

func TestATermEndsWhenThereIsANewToken(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	terms := []*Term{}
	gateThatSays(t, 1500, 7, 8).RunWhileLeader(ctx, func(ctx context.Context, term *Term) {
		terms = append(terms, term)
		if len(terms) == 2 {
			stop()
		}
		<-ctx.Done()
	})
	if terms[0].Token != 7 || terms[0].Holds() || terms[1].Token != 8 {
		t.Errorf("terms %+v", terms)
	}
}

func TestATermThatIsOverIsNotExtended(t *testing.T) {
	term := &Term{Token: 7, office: t.Context(), until: time.Now()}
	if term.extend(Leadership{7, time.Now().Add(time.Second)}) || term.Holds() {
		t.Error("extended")
	}
}

func TestAPanicOfTheWorkReachesTheCaller(t *testing.T) {
	defer func() {
		if recover() != "no paper" {
			t.Error("the panic got lost")
		}
	}()
	gateThatSays(t, 1500, 7).RunWhileLeader(t.Context(), func(context.Context, *Term) { panic("no paper") })
}

func TestATermIsReleasedWhenTheGateRevokes(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	asked, secret, released := 0, "", ""
	gate := gateAt(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			released = r.URL.String() + " " + r.Header.Get("LeaderGroup-Client")
			return
		}
		if asked++; asked == 1 {
			secret = r.Header.Get("LeaderGroup-Client")
			fmt.Fprint(w, `{"leader":true,"uid":"u","token":7,"validForMilliseconds":1500}`)
			return
		}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"leader":false,"uid":"u","token":7,"validForMilliseconds":0,"reason":"Revoking"}`)
	}))
	gate.RunWhileLeader(ctx, func(ctx context.Context, term *Term) {
		<-ctx.Done()
		if term.Holds() || released != "" {
			t.Errorf("holds %v, released %q before the work has ended", term.Holds(), released)
		}
		stop()
	})
	if len(secret) < 22 || released != "/m/release?uid=u "+secret {
		t.Errorf("released %q, asked with %q", released, secret)
	}
}

func TestATermIsReleasedWhenTheWorkPanics(t *testing.T) {
	released := ""
	gate := gateAt(serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			released = r.URL.String()
		}
		fmt.Fprint(w, `{"leader":true,"uid":"u","token":7,"validForMilliseconds":1500}`)
	}))
	func() {
		defer func() { _ = recover() }()
		gate.RunWhileLeader(t.Context(), func(_ context.Context, term *Term) {
			term.Resign()
			panic("no paper")
		})
	}()
	if released != "/m/release?uid=u&resign=true" {
		t.Errorf("released %q", released)
	}
}

func TestEachAddressBehindANameIsAReplica(t *testing.T) {
	addresses := []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.1")}
	gate := gateAt("http://replicas:8080/prefix", "http://10.0.0.9", "https://gate")
	gate.replicas.lookup = func(_ context.Context, _, name string) ([]netip.Addr, error) {
		if name != "replicas" {
			t.Errorf("looked up %q", name)
		}
		return addresses, nil
	}
	found := strings.Join(gate.replicas.inOrder(t.Context()), " ")
	if found != "http://10.0.0.1:8080/prefix http://10.0.0.2:8080/prefix http://10.0.0.9 https://gate" {
		t.Error(found)
	}
}

func TestAPositionWaitsUntilTheOneBeforeItIsOverdue(t *testing.T) {
	for _, each := range []struct {
		given OnceOptions
		want  time.Duration
	}{
		{OnceOptions{}, 30 * time.Second},
		{OnceOptions{Mode: AtLeastOnce}, 330 * time.Second},
		{OnceOptions{Mode: AtLeastOnce, RetryAfter: time.Minute}, 90 * time.Second},
		{OnceOptions{Mode: AtLeastOnce, Wait: time.Second}, time.Second},
		{OnceOptions{Mode: AtLeastOnce, Wait: -1}, 0},
	} {
		options := []OnceOptions{each.given}
		if wait := newTick("digest", 2, options).mayWait(options).Wait; wait != each.want {
			t.Errorf("%+v waits for %v, want %v", each.given, wait, each.want)
		}
	}
}
