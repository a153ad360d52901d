package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// gateThatSays a grant with these tokens, one after the other; the last one from then on.
func gateThatSays(t *testing.T, valid int, tokens ...int) Gate {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		token := tokens[min(asked, len(tokens)-1)]
		asked++
		fmt.Fprintf(w, `{"leader":true,"uid":"u","token":%d,"validForMilliseconds":%d}`, token, valid)
	}))
	t.Cleanup(server.Close)
	return Gate{url: server.URL, uid: "u", client: &http.Client{Timeout: time.Second}, within: &atomic.Int64{}}
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
