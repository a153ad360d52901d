package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Says a word ten times a second while this pod leads; has another lead on SIGUSR2.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	resign := make(chan os.Signal, 1)
	signal.Notify(resign, syscall.SIGUSR2)
	gate, err := GateFromEnvironment()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	gate.RunWhileLeader(ctx, func(ctx context.Context, term *Term) {
		defer fmt.Println("stopped")
		for term.Holds() {
			fmt.Printf("work %d\n", term.Token)
			select {
			case <-resign:
				term.Resign()
				return
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}
