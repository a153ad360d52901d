package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
)

// As long as in the notifier of the examples: it looks whether it leads between the two.
const (
	prepare = 20 * time.Millisecond
	depart  = 80 * time.Millisecond
)

type schedule struct {
	series string
	tick   time.Duration
}

// Where containers of the same pod ask whether it holds the Lease: 200, or 409.
const leadsAddress = "127.0.0.1:8090"

// notify sends every tick of SCHEDULES (SERIES:TICK_MS with commas between) to SINK while its pod holds the Lease, and says to the containers beside it
// whether it does.
func notify(ctx context.Context) error {
	schedules, err := schedulesIn(os.Getenv("SCHEDULES"))
	if err != nil {
		return err
	}
	// Of this process alone, as with the components of Kubernetes: a container that runs again is another candidate.
	identity := os.Getenv("POD_NAME") + "_" + string(uuid.NewUUID())
	var leads atomic.Bool
	server := &http.Server{Addr: leadsAddress, Handler: http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		if !leads.Load() {
			answer.WriteHeader(http.StatusConflict)
		}
	})}
	go server.ListenAndServe()
	defer server.Close()
	keepAll := func(leading context.Context) {
		leads.Store(true)
		context.AfterFunc(leading, func() { leads.Store(false) })
		var keeping sync.WaitGroup
		for _, each := range schedules {
			keeping.Go(func() { keep(leading, each) })
		}
		keeping.Wait()
	}
	return elect(ctx, candidacy{"", os.Getenv("POD_NAMESPACE"), "notifier", identity, true, keepAll})
}

func schedulesIn(text string) ([]schedule, error) {
	var found []schedule
	for part := range strings.SplitSeq(text, ",") {
		series, ms, _ := strings.Cut(part, ":")
		tick, err := strconv.Atoi(ms)
		if err != nil || tick <= 0 {
			return nil, fmt.Errorf("SCHEDULES: %q is not SERIES:TICK_MS", part)
		}
		found = append(found, schedule{series, time.Duration(tick) * time.Millisecond})
	}
	return found, nil
}

func keep(leading context.Context, of schedule) {
	tickMs := of.tick.Milliseconds()
	for due := nextAfter(time.Now(), tickMs); ; due = max(due+tickMs, nextAfter(time.Now(), tickMs)-tickMs) {
		select {
		case <-leading.Done():
			return
		case <-time.After(time.Until(time.UnixMilli(due))):
		}
		time.Sleep(prepare)
		if leading.Err() != nil {
			return
		}
		time.Sleep(depart)
		if err := send(of.series, due); err != nil {
			fmt.Fprintln(os.Stderr, of.series, due, err)
		}
	}
}

func nextAfter(now time.Time, tickMs int64) int64 {
	return (now.UnixMilli()/tickMs + 1) * tickMs
}

func send(series string, tick int64) error {
	body, err := json.Marshal(map[string]any{"series": series, "tick": tick, "token": nil, "pod": os.Getenv("POD_NAME")})
	if err != nil {
		return err
	}
	response, err := http.Post(os.Getenv("SINK")+"/deliveries", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return response.Body.Close()
}
