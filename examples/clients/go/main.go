package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Says a word ten times a second while this pod leads.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	gate, err := GateFromEnvironment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go gate.Introduce(ctx)
	gate.RunWhileLeader(ctx, func(ctx context.Context, term *Term) {
		for term.Holds() {
			fmt.Printf("work %d\n", term.Token)
			sleep(ctx, 100*time.Millisecond)
		}
		fmt.Println("stopped")
	})
}
