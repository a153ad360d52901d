/** A real browser, Debian's Chromium: only where it is installed, or may be. */
import process from 'node:process';
import { type Browser, chromium } from 'playwright-core';
import { areRealNodesAskedFor } from '../../../dev/tools/consent.ts';
import { debianPrograms, ensureDebianPrograms, whyNoDebianPrograms } from '../../../dev/tools/debian.ts';
import { isExecutable } from '../../../dev/tools/find.ts';

const { path } = debianPrograms.chromium;

/** null: there is one, or it can be installed, and somebody has asked for that. */
export const whyNoBrowser = async (): Promise<string | null> =>
  (await isExecutable(path)) ? null : whyNoDebianPrograms(['chromium'], { mayInstall: areRealNodesAskedFor() });

export async function startBrowser(): Promise<Browser> {
  if (!(await isExecutable(path))) await ensureDebianPrograms(['chromium']);
  // Its sandbox refuses root; the page is our own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: path, headless: true, args });
}
