package main

import (
	"context"
	"errors"
	"time"

	"github.com/robfig/cron/v3"
)

// gocron (2.21) tells neither its task nor its Locker for which time a job was scheduled. Copy this file, leader.go and once.go.

// Elector has the leader alone begin its jobs: gocron.WithDistributedElector(Elector{gate}). It is a grant, not a claim: the tick of a handover may be
// left out, or be done by both leaders in part.
type Elector struct{ Gate *Gate }

// IsLeader is asked by gocron before each run.
func (e Elector) IsLeader(ctx context.Context) error {
	if _, leads := e.Gate.Ask(ctx); !leads {
		return errors.New("this pod does not lead, or nobody can say")
	}
	return nil
}

// KeepScheduleOnce waits for each time of the calendar by which gocron reckons too, and does it once, in one replica: one after the other, until ctx is
// done. It begins after the last one that was claimed, by whomever. Those that passed meanwhile come late, but for what is longer ago than a minute, with AtLeastOnce than RetryAfter and a minute. `spec` is of five fields, or of six with seconds; with CRON_TZ=UTC
// before them, for it should be the same in all replicas. told: what became of each tick; the error is that of fn, or a ClaimError.
func KeepScheduleOnce(ctx context.Context, gate *Gate, series, spec string, fn func(ctx context.Context, claim Claim) error, told func(Outcome, error), options ...OnceOptions) error {
	// Not `@every`, whose times begin with the process.
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	calendar, err := parser.Parse(spec)
	if err != nil {
		return err
	}
	kept := time.Minute
	if t := newTick(series, 0, options); t.Mode == AtLeastOnce {
		kept += t.RetryAfter
	}
	for last := lastGiven(ctx, gate, series, kept, told); ; {
		next := calendar.Next(last)
		if next.IsZero() || !reached(ctx, next) {
			return nil
		}
		begun := next.UnixMilli()
		said, err := gate.Once(ctx, series, next.UnixMilli(), func(ctx context.Context, claim Claim) error {
			begun = claim.Position
			return fn(ctx, claim)
		}, options...)
		told(said, err)
		// Where an earlier one has failed, which AtLeastOnce brings again, this one is still to be claimed.
		if err == nil || begun == next.UnixMilli() {
			last = next
		}
		if longAgo := time.Now().Add(-kept); longAgo.After(last) {
			last = longAgo
		}
	}
}

// lastGiven is the time after which it begins: what was due since then while this process started would pass with the next claim.
func lastGiven(ctx context.Context, gate *Gate, series string, kept time.Duration, told func(Outcome, error)) time.Time {
	begun := time.Now()
	for {
		position, given, err := gate.Standing(ctx, series)
		if ctx.Err() != nil || err == nil && !given {
			return begun
		}
		if err == nil {
			stood := time.UnixMilli(position)
			// One that is ahead was given out by a wrong clock, and may be taken back.
			if stood.After(begun) {
				return begun
			}
			if oldest := begun.Add(-kept); oldest.After(stood) {
				return oldest
			}
			return stood
		}
		// People have to end that.
		told(Outcome{}, err)
		sleep(ctx, 10*time.Second)
	}
}

// reached is false when ctx is done before. It looks again each minute: the clock may be set, and the machine may have been suspended.
func reached(ctx context.Context, at time.Time) bool {
	for {
		// Without the monotonic clock: times of a calendar have none.
		left := at.Sub(time.Now().Round(0))
		if left <= 0 {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(left, time.Minute)):
		}
	}
}
