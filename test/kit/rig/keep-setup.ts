/** Vitest runs this before each file of tests on real components. LEADERGROUP_TEST_KEEP=1 keeps the folders without a failure as well. */
import { afterAll } from 'vitest';
import { hasFailed, settle, stayUntilSettled } from './keep.ts';

const ALWAYS = process.env['LEADERGROUP_TEST_KEEP'] === '1';

stayUntilSettled();
// The first of a file's hooks to be registered is the last to be called: whatever the file has made has ended.
// biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern which fixtures are wanted: none.
// oxlint-disable-next-line no-empty-pattern -- the same.
afterAll(async ({}, file) => {
  file.meta.kept = await settle(ALWAYS || hasFailed(file));
});
