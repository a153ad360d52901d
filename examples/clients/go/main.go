package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"
)

// Says a word ten times a second while this pod leads.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	GateFromEnvironment().RunWhileLeader(ctx, func(ctx context.Context, token uint64) {
		for ctx.Err() == nil {
			fmt.Printf("work %d\n", token)
			sleep(ctx, 100*time.Millisecond)
		}
		fmt.Println("stopped")
	})
}
