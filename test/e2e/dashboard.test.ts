/**
 * `kubectl leadergroup dashboard` in a real browser, over an API server in memory: what is shown, live, by keyboard, to people who read with
 * ears, in dark and light, with 2,000 groups; and what it does not let in. With LEADERGROUP_PICTURES=1 it also makes the pictures of
 * docs/how-to/dashboard.md (`npm run pictures`).
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { LEADER_GROUPS, PODS } from '../../src/cli/resources.ts';
import { openTerminal, type Terminal } from '../kit/fakes/cli/command-line.ts';
import { type OpenDashboard, openDashboard } from '../kit/fakes/cli/dashboard.ts';
import { putScene } from '../kit/fakes/cli/dashboard-scene.ts';
import { groupObject, ledBy, podObject, unled } from '../kit/fakes/cli/objects.ts';
import { startBrowser, whyNoBrowser } from '../kit/rig/browser.ts';
import { describeUnless } from '../kit/rig/real-node.ts';

const DOCS = join(import.meta.dirname, '../../docs/how-to');
const PICTURES = process.env['LEADERGROUP_PICTURES'] === '1';
const SIZE = { width: 1280, height: 800 };
const MANY = 2_000;

describeUnless(await whyNoBrowser(), 'the dashboard in a browser', () => {
  let browser: Browser;
  let t: Terminal;
  let d: OpenDashboard;
  let context: BrowserContext | null = null;
  let page: Page;
  /** What the browser itself complains about: refused scripts and styles, errors of the page. */
  let complaints: string[];

  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  afterEach(async () => {
    await context?.close();
    context = null;
    d.running.interrupt();
    await d.running.ended;
    expect(complaints).toEqual([]);
  });

  /** As a person does it: the command runs, the browser opens its file. */
  async function open(put: (terminal: Terminal) => void, scheme: 'light' | 'dark' = 'light'): Promise<void> {
    t = openTerminal();
    put(t);
    d = await openDashboard(t);
    await writeFile(d.path, d.file, { mode: 0o600 });
    context = await browser.newContext({ viewport: SIZE, colorScheme: scheme, reducedMotion: 'reduce' });
    page = await context.newPage();
    complaints = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(pathToFileURL(d.path).href);
    await page.waitForURL(`http://127.0.0.1:${d.port}/`);
    await page.locator('#state', { hasText: 'Live' }).waitFor();
    await page.locator('#operator', { hasText: 'replicas ready' }).waitFor();
  }

  const scene = (terminal: Terminal): void => putScene(terminal.api);
  const rows = () => page.locator('#rows tr');
  const row = (key: string) => rows().filter({ has: page.getByRole('button', { name: key, exact: true }) });
  /** Scripts of a browser are texts: this file knows Node's types. */
  const focused = () => page.evaluate<string>('document.activeElement.textContent');
  const count = (text: string) => page.locator('#count', { hasText: text }).waitFor();

  it('shows context, server, groups with their leaders and tokens, and that it is live', async () => {
    await open(scene);
    await expect
      .poll(() => page.locator('header').innerText())
      .toMatch(/production[^]*https:\/\/api\.example\.com[^]*all[^]*2 of 2 replicas ready[^]*Live/);
    await count('6 groups');
    expect(await row('mail/notifier').innerText()).toMatch(/notifier-0\s+60m\s+7\s+3 of 3\s+True\s+Led/);
    expect(await row('search/indexer').innerText()).toMatch(/nobody[^]*False\s+NoCandidate/);
    expect(await page.title()).toBe('(2) LeaderGroups');
  });

  it('finds groups by words, and shows those that are not well', async () => {
    await open(scene);
    await page.keyboard.press('/');
    await page.keyboard.type('shop cart');
    await count('1 of 6 groups');
    expect(await rows().allInnerTexts()).toEqual([expect.stringContaining('shop/cart-expiry')]);
    await page.locator('#search').fill('');
    await page.locator('#filter').selectOption('wrong');
    await count('2 of 6 groups');
    await page.locator('#filter').selectOption('paused');
    await count('1 of 6 groups');
    expect(await rows().innerText()).toContain('shop/invoices');
  });

  it('shows another leader as soon as there is one, in the list and in the open group', async () => {
    await open(scene);
    await page.getByRole('button', { name: 'mail/notifier', exact: true }).click();
    await page.locator('#detail', { hasText: 'notifier-0 on node-a leads' }).waitFor();
    t.api.put(LEADER_GROUPS, groupObject({ status: ledBy('notifier-1', 8) }));
    await row('mail/notifier').filter({ hasText: 'notifier-1' }).filter({ hasText: '8' }).waitFor();
    await page.locator('#detail', { hasText: 'notifier-1 on node-a leads for 60m, token 8' }).waitFor();
    t.api.put(PODS, podObject('notifier-0', { ready: false }));
    await page.locator('#detail tr', { hasText: 'notifier-0' }).filter({ hasText: 'not ready' }).first().waitFor();
    t.api.remove({ resource: LEADER_GROUPS, namespace: 'mail', name: 'notifier' });
    await count('5 groups');
    expect(await page.locator('#detail').isVisible()).toBe(false);
  });

  it('shows the members with what keeps them from leading, and the changes of leader', async () => {
    await open(scene);
    await page.getByRole('button', { name: 'mail/notifier', exact: true }).click();
    const members = page.getByRole('table', { name: 'Members' });
    await members.waitFor();
    expect(await members.innerText()).toMatch(/notifier-2[^]*not ready[^]*no: NotReady/);
    expect(await page.getByRole('table', { name: 'Changes of leader' }).innerText()).toMatch(
      /60m\s+notifier-1\s+notifier-0/,
    );
  });

  it('shows the changes of leader of all groups, and what doctor finds', async () => {
    await open(scene);
    await page.keyboard.press('2');
    await page.locator('#changes tr').first().waitFor();
    expect(await page.locator('#changes').innerText()).toContain('ledger-0');
    await page.keyboard.press('3');
    await page.locator('#findings li').first().waitFor();
    expect(await page.locator('#findings').innerText()).toMatch(/Nobody leads a group[^]*search\/indexer[^]*Do:/);
  });

  it('can be used without a mouse', async () => {
    await open(scene);
    await page.keyboard.press('ArrowDown');
    await expect.poll(focused).toBe('billing/ledger');
    await page.keyboard.press('ArrowDown');
    await expect.poll(focused).toBe('mail/notifier');
    await page.keyboard.press('Enter');
    await page.locator('#detail', { hasText: 'leads for 60m' }).waitFor();
    await expect.poll(focused).toBe('mail/notifier');
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'a', name: 'new' }));
    await count('7 groups');
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('#detail').isVisible()).toBe(false);
    await expect.poll(focused).toBe('mail/notifier');
    await page.keyboard.press('/');
    await page.keyboard.type('ledger');
    await page.keyboard.press('ArrowDown');
    await expect.poll(focused).toBe('billing/ledger');
  });

  it('keeps the focus on a group when another one comes before it', async () => {
    await open(scene);
    await page.getByRole('button', { name: 'mail/notifier', exact: true }).focus();
    t.api.put(LEADER_GROUPS, groupObject({ namespace: 'a', name: 'new' }));
    await count('7 groups');
    expect(await focused()).toBe('mail/notifier');
  });

  it.each(['light', 'dark'] as const)('has nothing that axe objects to, %s', async (scheme) => {
    await open(scene, scheme);
    const colour = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(colour).toBe(scheme === 'dark' ? 'rgb(20, 24, 29)' : 'rgb(255, 255, 255)');
    await page.getByRole('button', { name: 'mail/notifier', exact: true }).click();
    await page.getByRole('table', { name: 'Members' }).waitFor();
    for (const view of ['1', '2', '3']) {
      await page.keyboard.press(view);
      if (view === '3') await page.locator('#findings li').first().waitFor();
      expect(await objections(page)).toEqual([]);
    }
  });

  it('shows what others have written as text, whatever it is', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await open(({ api }) => {
      putScene(api);
      api.put(LEADER_GROUPS, groupObject({ namespace: 'mail', name: 'notifier', status: unled('NoCandidate', evil) }));
    });
    await page.getByRole('button', { name: 'mail/notifier', exact: true }).click();
    await page.locator('#detail', { hasText: '<img src=x' }).waitFor();
    expect(await page.locator('#detail img, #detail script').count()).toBe(0);
  });

  it(`is of use with ${MANY} groups`, async () => {
    const startedMs = performance.now();
    await open(({ api }) => {
      putScene(api);
      for (let at = 0; at < MANY - 6; at += 1)
        api.put(
          LEADER_GROUPS,
          groupObject({ namespace: `team-${at % 40}`, name: `job-${String(at).padStart(4, '0')}` }),
        );
    });
    await count(`${MANY} groups`);
    const shownMs = performance.now() - startedMs;
    expect(await rows().count()).toBe(100);
    const searchMs = await timed(async () => {
      await page.locator('#search').fill('job-1987');
      await count(`1 of ${MANY} groups`);
    });
    const changeMs = await timed(async () => {
      t.api.put(LEADER_GROUPS, groupObject({ namespace: 'team-27', name: 'job-1987', status: ledBy('job-1987-1', 9) }));
      await row('team-27/job-1987').filter({ hasText: 'job-1987-1' }).waitFor();
    });
    await page.locator('#search').fill('');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.locator('#page', { hasText: `101 to 200 of ${MANY}` }).waitFor();
    const told = { shownMs, searchMs, changeMs };
    console.error(
      `the dashboard with ${MANY} groups: ${JSON.stringify(told, (_, value: unknown) => (typeof value === 'number' ? Math.round(value) : value))}`,
    );
  });

  it('says that it has ended, and lets nobody believe what is old', async () => {
    await open(scene);
    d.running.interrupt();
    await page.locator('#state', { hasText: 'what is shown is old' }).waitFor();
    // The browser says that it was not answered.
    complaints = complaints.filter((text) => !/ERR_CONNECTION|ERR_EMPTY/.test(text));
    page.removeAllListeners('console');
  });

  it('can be loaded again, and opened in a second tab only with the file', async () => {
    await open(scene);
    await page.reload();
    await count('6 groups');
    const other = await page.context().newPage();
    await other.goto(`http://127.0.0.1:${d.port}/`);
    await other.locator('#troubles', { hasText: 'This tab has no key' }).waitFor();
    expect(await other.locator('#rows tr').count()).toBe(0);
    await other.goto(pathToFileURL(d.path).href);
    await other.locator('#count', { hasText: '6 groups' }).waitFor();
  });

  it('has no secret in an address, nor where a script can read it but in its own tab', async () => {
    await open(scene);
    const known = await page.evaluate('({ cookie: document.cookie, href: location.href, local: localStorage.length })');
    expect(known).toEqual({ cookie: '', href: `http://127.0.0.1:${d.port}/`, local: 0 });
  });

  it('answers no page of another site, whatever that sends', async () => {
    await open(scene);
    const address = `http://127.0.0.1:${d.port}`;
    const evil = await page.context().newPage();
    await evil.route('http://evil.example/**', (route) => route.fulfill({ contentType: 'text/html', body: '<p>evil' }));
    await evil.goto('http://evil.example/');
    const seen: (number | undefined)[] = [];
    evil.on('response', (response) => {
      if (response.url().startsWith(address)) seen.push(response.status());
    });
    const read = await evil.evaluate(scriptOfAnotherSite(address));
    expect(read).toBe('');
    expect(seen.filter((status) => status === 200)).toEqual([]);
    // A link on that site: the cookie stays at home, and so does the page.
    const followed = await Promise.all([
      evil.waitForResponse(`${address}/`),
      evil.evaluate(`location.assign('${address}/')`),
    ]);
    expect(followed[0].status()).toBe(403);
  });

  it.each(['light', 'dark'] as const)('looks as in the docs, %s', async (scheme) => {
    await open(scene, scheme);
    await page.getByRole('button', { name: 'mail/notifier', exact: true }).click();
    await page.getByRole('table', { name: 'Members' }).waitFor();
    await page.mouse.move(0, 0);
    await page.locator('#detail-title').blur();
    const path = join(DOCS, `dashboard-${scheme}.png`);
    await page.screenshot({ fullPage: true, ...(PICTURES ? { path } : {}) });
    // Width of a PNG. What is in the picture, the tests above have seen in the same scene.
    expect(readFileSync(path).readUInt32BE(16)).toBe(SIZE.width);
    expect(readFileSync(join(DOCS, 'dashboard.md'), 'utf8')).toContain(`(dashboard-${scheme}.png)`);
  });
});

/** What axe finds in the page as it is, as sentences. Its code is put in beside the page, which allows no scripts but its own. */
async function objections(page: Page): Promise<readonly string[]> {
  const session = await page.context().newCDPSession(page);
  const asked = `${axe.source}; axe.run(document).then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) => id + ' ' + nodes.map(({ html }) => html).join(' '))))`;
  const { result } = await session.send('Runtime.evaluate', {
    expression: asked,
    awaitPromise: true,
    returnByValue: true,
  });
  return JSON.parse(String(result.value)) as readonly string[];
}

/** Asks in all ways that a page has, and hands back whatever it could read. */
const scriptOfAnotherSite = (target: string): string => `(async () => {
  const tried = [
    () => fetch('${target}/v1/changes?after=0', { credentials: 'include' }),
    () => fetch('${target}/v1/changes?after=0', { credentials: 'include', mode: 'no-cors' }),
    () => fetch('${target}/open', { method: 'POST', credentials: 'include', mode: 'no-cors', body: 'ticket=x' }),
  ];
  const texts = await Promise.all(tried.map((each) => each().then((answer) => answer.text()).catch(() => '')));
  const frame = document.createElement('iframe');
  frame.src = '${target}/';
  document.body.append(frame);
  await new Promise((resolve) => (frame.onload = resolve));
  return texts.join('');
})()`;

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}
