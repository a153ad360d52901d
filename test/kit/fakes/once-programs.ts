/**
 * A small program for each client that calls `once`, as an application would. Each takes SERIES POSITION MODE RETRY_SECONDS WAIT_SECONDS WORK, where WORK
 * is so many milliseconds, or `fails`. It says `work POSITION ATTEMPT TOKEN`, `lost` where the claim was lost meanwhile, and last what
 * `once` returned: `done POSITION REPORTED`, `dropped REASON BY`, `unknown`, `refused` or `failed`. With `term` before it is called in a term. POSITION may be
 * several with commas between, but in the shell: a call for each, the next one 100 ms later while the first ones go on. SIGTERM tells the calls to stop; with
 * `stopped` before all other words they were told so before. With `standing` it only says `stands POSITION` of the series, or `stands -`; in the shell, with `catch-up`, up
 * to three positions before are done as well.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CLIENTS = join(import.meta.dirname, '../../../examples/clients');

const TYPESCRIPT = `
import { setTimeout as delay } from 'node:timers/promises';
import { ClaimError, createGate } from '${join(CLIENTS, 'typescript/index.ts')}';
const [series = '', position, mode, retry, wait, work = ''] = process.argv.slice(2).filter((word) => word !== 'term' && word !== 'stopped');
const gate = createGate();
if (process.argv[2] === 'standing') {
  const said = await gate.standing(process.argv[3]).catch((error) => error);
  console.log(...(said instanceof ClaimError ? ['refused'] : ['stands', said.position ?? '-']));
  process.exit();
}
const told = new AbortController();
process.once('SIGTERM', () => told.abort());
if (process.argv[2] === 'stopped') told.abort();
async function call(at, options = {}, own = position) {
  try {
    const said = await at.once(series, Number(own), async ({ position, attempt, token, signal }) => {
      console.log('work', position, attempt, token);
      if (work === 'fails') throw new Error('no paper');
      await delay(Number(work), undefined, { signal }).catch(() => console.log('lost'));
    }, { mode, retryAfterSeconds: Number(retry), ...options });
    if (said.kind === 'done') console.log('done', said.position, said.reported);
    else if (said.kind === 'dropped') console.log('dropped', said.reason, said.by?.pod ?? '-');
    else console.log('unknown');
  } catch (error) {
    console.log(error instanceof ClaimError ? 'refused' : 'failed');
    console.error(error.message);
  }
}
if (process.argv[2] === 'term') {
  const stop = new AbortController();
  await gate.runWhileLeader((term) => call(term).finally(() => stop.abort()), stop.signal);
} else
  await Promise.all(position.split(',').map((own, at) => delay(at * 100).then(() => call(gate, { waitMs: Number(wait) * 1000, signal: told.signal }, own))));
`;

const PYTHON = `
import signal, sys, threading, time
sys.path.insert(0, '${join(CLIENTS, 'python')}')
from leader import ClaimError, Gate
if sys.argv[1] == 'standing':
    try: print('stands', Gate().standing(sys.argv[2]) or '-')
    except ClaimError: print('refused')
    sys.exit()
series, position, mode, retry, wait, work = [word for word in sys.argv[1:] if word not in ('term', 'process', 'stopped')]
def say(*words): print(*words, flush=True)
def do(claim):
    say('work', claim.position, claim.attempt, claim.token)
    if work == 'fails': raise ValueError('no paper')
    end = time.monotonic() + int(work) / 1000
    while time.monotonic() < end and not claim.lost(): time.sleep(0.01)
    if time.monotonic() < end: say('lost')
def call(at, own=position, **options):
    try:
        said = at.once(series, int(own), do, mode=mode, retry_after=int(retry), **options)
        if said.kind == 'done': say('done', said.claim.position, str(said.reported).lower())
        elif said.kind == 'dropped': say('dropped', said.reason, (said.by or {}).get('pod', '-'))
        else: say('unknown')
    except ClaimError as error:
        say('refused')
        print(error, file=sys.stderr)
    except ValueError: say('failed')
stop = threading.Event()
def in_term(term):
    call(term)
    stop.set()
if __name__ == '__main__':
    if 'process' in sys.argv:
        threading.Timer(3, stop.set).start()
        Gate().run_while_leader(in_term, stop, process=True)
    elif 'term' in sys.argv: Gate().run_while_leader(in_term, stop)
    else:
        gate, told = Gate(), threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: told.set())
        if 'stopped' in sys.argv: told.set()
        calls = [threading.Thread(target=call, args=(gate, own), kwargs={'wait': int(wait), 'stop': told}) for own in position.split(',')]
        for each in calls:
            each.start()
            time.sleep(0.1)
        for each in calls: each.join()
`;

const GO = `package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func stands(series string) {
	gate, err := GateFromEnvironment()
	if err != nil {
		panic(err)
	}
	position, given, err := gate.Standing(context.Background(), series)
	var refused *ClaimError
	switch {
	case errors.As(err, &refused):
		fmt.Println("refused")
	case given:
		fmt.Println("stands", position)
	case err == nil:
		fmt.Println("stands -")
	}
}

type once func(context.Context, string, int64, func(context.Context, Claim) error, ...OnceOptions) (Outcome, error)

func main() {
	words := os.Args[1:]
	if words[0] == "standing" {
		stands(words[1])
		return
	}
	inTerm := words[0] == "term"
	told, tell := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	if words[0] == "stopped" {
		tell()
	}
	if inTerm || words[0] == "stopped" {
		words = words[1:]
	}
	retry, _ := strconv.Atoi(words[3])
	wait, _ := strconv.Atoi(words[4])
	options := OnceOptions{Mode: Mode(words[2]), RetryAfter: time.Duration(retry) * time.Second, Wait: time.Duration(wait) * time.Second}
	if wait == 0 {
		options.Wait = -1
	}
	call := func(once once, own string) {
		position, _ := strconv.ParseInt(own, 10, 64)
		said, err := once(told, words[0], position, func(ctx context.Context, claim Claim) error {
			fmt.Println("work", claim.Position, claim.Attempt, claim.Token)
			if words[5] == "fails" {
				return errors.New("no paper")
			}
			work, _ := strconv.Atoi(words[5])
			select {
			case <-ctx.Done():
				fmt.Println("lost")
			case <-time.After(time.Duration(work) * time.Millisecond):
			}
			return nil
		}, options)
		var refused *ClaimError
		switch {
		case errors.As(err, &refused):
			fmt.Println("refused")
			fmt.Fprintln(os.Stderr, err)
		case err != nil:
			fmt.Println("failed")
		case said.Kind == Done:
			fmt.Println("done", said.Claim.Position, said.Reported)
		case said.Kind == Dropped && said.By != nil:
			fmt.Println("dropped", said.Reason, said.By.Pod)
		case said.Kind == Dropped:
			fmt.Println("dropped", said.Reason, "-")
		default:
			fmt.Println("unknown")
		}
	}
	gate, err := GateFromEnvironment()
	if err != nil {
		panic(err)
	}
	if !inTerm {
		var calls sync.WaitGroup
		for _, own := range strings.Split(words[1], ",") {
			calls.Go(func() { call(gate.Once, own) })
			time.Sleep(100 * time.Millisecond)
		}
		calls.Wait()
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	gate.RunWhileLeader(ctx, func(_ context.Context, term *Term) {
		options.Wait = 0
		call(term.Once, words[1])
		stop()
	})
}
`;

/** It says by its status what the others say in words: 0: dropped, or done; 75: unknown, or pending; 64: refused. */
const SHELL = `#!/bin/sh
more=''
case $1 in
standing)
  if said=$('${join(CLIENTS, 'shell/if-leader.sh')}' --standing "$2"); then echo "stands \${said:--}"; else echo "status $?"; fi
  exit
  ;;
catch-up) more='--catch-up 3' && shift ;;
esac
again=''
[ "$3" = AtMostOnce ] || again="--at-least-once $4"
case $6 in fails) work='exit 3' ;; *) work="sleep $(($6 / 1000)).$(printf %03d $(($6 % 1000)))" ;; esac
status=0
'${join(CLIENTS, 'shell/if-leader.sh')}' --once "$1" --position "$2" $again $more --wait "$5" -- sh -c 'echo "work $CLAIM_POSITION $CLAIM_ATTEMPT $LEADER_TOKEN"; '"$work" &
once=$!
trap 'kill -TERM $once' TERM
wait $once || status=$?
# A signal ends waiting, too.
while kill -0 $once 2>/dev/null; do status=0 && wait $once || status=$?; done
echo "status $status"
`;

export type OnceProgram = readonly [string, ...string[]];

/** Writes them into `dir`, which should be empty. */
export function writeOncePrograms(
  dir: string,
): Readonly<Record<'TypeScript' | 'Go' | 'Python' | 'shell', OnceProgram>> {
  const go = join(dir, 'go');
  mkdirSync(go);
  for (const name of ['go.mod', 'leader.go', 'once.go']) copyFileSync(join(CLIENTS, 'go', name), join(go, name));
  writeFileSync(join(go, 'main.go'), GO);
  execFileSync('go', ['build', '-o', join(dir, 'go-once'), '.'], { cwd: go, stdio: 'pipe' });
  writeFileSync(join(dir, 'once.mjs'), TYPESCRIPT);
  writeFileSync(join(dir, 'once.py'), PYTHON);
  writeFileSync(join(dir, 'once.sh'), SHELL);
  return {
    TypeScript: [process.execPath, join(dir, 'once.mjs')],
    Go: [join(dir, 'go-once')],
    Python: ['python3', '-B', join(dir, 'once.py')],
    shell: ['sh', join(dir, 'once.sh')],
  };
}
