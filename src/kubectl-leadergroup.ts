#!/usr/bin/env node
/** `kubectl leadergroup`, from a checkout or from npm. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { runPlugin } from './plugin.ts';

process.exitCode = await runPlugin(packageVersion());

/** The package stands beside `src` and beside `dist`. */
function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version);
}
