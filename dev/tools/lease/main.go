// lease-candidate plays a replica in `npm run bench:others`, and in the end-to-end test a notifier that sends while it holds a Lease. On standard output it says what it believes, each line a word, the time in
// microseconds since 1970 and its pid:
//
//	waits  it has seen that another one leads
//	leads  it has begun to lead
//	works  it still believes that it leads, every 10 ms
//	stops  it leads no more
//
// Without a reader the next line ends it, so that none works on after a benchmark that was killed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const workInterval = 10 * time.Millisecond

const usage = "usage: lease-candidate lease|lease-kept NAME IDENTITY (with KUBECONFIG) | lease-candidate work | lease-candidate notify (in a pod)"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "lease":
		return elect(ctx, candidacy{os.Getenv("KUBECONFIG"), "default", args[1], args[2], true, work})
	case len(args) == 3 && args[0] == "lease-kept":
		return elect(ctx, candidacy{os.Getenv("KUBECONFIG"), "default", args[1], args[2], false, work})
	case len(args) == 1 && args[0] == "work":
		work(ctx)
		return nil
	case len(args) == 1 && args[0] == "notify":
		return notify(ctx)
	default:
		return errors.New(usage)
	}
}

// work leads until ctx is done.
func work(ctx context.Context) {
	say("leads")
	ticker := time.NewTicker(workInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			say("stops")
			return
		case <-ticker.C:
			say("works")
		}
	}
}

var saying sync.Mutex

func say(word string) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Println(word, time.Now().UnixMicro(), os.Getpid())
}
