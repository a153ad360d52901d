#!/usr/bin/env node
/** `kubectl_complete-leadergroup`: kubectl runs it for completion. */
import { execFile } from 'node:child_process';
import process from 'node:process';
import { promisify } from 'node:util';
import { complete } from './cli/complete.ts';

const TIMEOUT_MS = 3_000;

const lines = await complete(process.argv.slice(2), async (args) => {
  try {
    return (await promisify(execFile)('kubectl', [...args], { timeout: TIMEOUT_MS })).stdout;
  } catch {
    return '';
  }
});
process.stdout.write(`${lines.join('\n')}\n`);
