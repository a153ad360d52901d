#!/usr/bin/env node
/** `kubectl_complete-leadergroup`: kubectl runs it for completion. */
import { runCompletion } from './completion.ts';

await runCompletion();
