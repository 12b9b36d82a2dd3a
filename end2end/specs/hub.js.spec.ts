// The hub page of somebody with twenty connections: what a first visit weighs,
// and that nothing on it moves by itself. Only Chromium reports either.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { alive, approve, connectButton, leave, row } from '../support/people.ts';
import { importConnections } from '../support/host.ts';
import { HARBOUR } from '../support/sandbox.ts';

test.skip(({ browserName }) => browserName !== 'chromium', 'no sizes and no layout shifts to read');

const PROVIDERS = { sandbox: 6, 'google-gmail': 5, github: 4, slack: 3, microsoft: 2 };

let ids: Record<string, string>;

test.beforeEach(async ({ hub, owner: _ }) => {
  const wanted = Object.entries(PROVIDERS).flatMap(([provider, accounts]) =>
    Array.from({ length: accounts }, (_, n) => ({ provider, account: `account ${n + 1}` })),
  );
  ids = await importConnections(hub, wanted);
});

const COMPRESSED = {
  // Every one of the 200 providers is on it.
  page: 30_000,
  program: 130_000,
  everything: 200_000,
};

test('a first visit weighs little', async ({ page, context }) => {
  const session = await context.newCDPSession(page);
  const addresses = new Map<string, string>();
  const weights = new Map<string, number>();
  session.on('Network.responseReceived', ({ requestId, response }) => {
    addresses.set(requestId, new URL(response.url).pathname);
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    weights.set(addresses.get(requestId) ?? requestId, encodedDataLength);
  });
  await session.send('Network.enable');
  await page.goto('/');
  await alive(page);
  await expect(page.locator('[data-section=connected] > .row')).toHaveCount(20);

  const weight = (name: RegExp) => {
    const found = [...weights].filter(([path]) => name.test(path));
    expect(found, `one file like ${name}`).toHaveLength(1);
    return found[0]![1];
  };
  // The icons are asked for when they are drawn, which is after the program.
  await expect.poll(() => [...weights.keys()].some((path) => /\/icons-.*\.svg$/.test(path))).toBe(true);
  test.info().annotations.push({ type: 'weights', description: JSON.stringify(Object.fromEntries(weights)) });
  expect(weight(/^\/$/), 'the page').toBeLessThanOrEqual(COMPRESSED.page);
  expect(weight(/\.wasm$/), 'the program').toBeLessThanOrEqual(COMPRESSED.program);
  const everything = [...weights.values()].reduce((sum, bytes) => sum + bytes, 0);
  expect(everything, 'everything').toBeLessThanOrEqual(COMPRESSED.everything);
});

test('nothing moves while the page loads and its connections change', async ({ page, context, hub, opensWindows }) => {
  await context.addInitScript(() => {
    const seen = { shifts: [] as string[], sum: 0 };
    const add = (entries: PerformanceEntryList) => {
      for (const entry of entries as (PerformanceEntry & { value: number; hadRecentInput: boolean; sources: { node?: Element }[] })[]) {
        if (!entry.hadRecentInput) {
          seen.sum += entry.value;
          const moved = entry.sources.map(({ node }) => node?.nodeName + '.' + node?.className).join(', ');
          seen.shifts.push(`${entry.value.toFixed(4)} ${moved}`);
        }
      }
    };
    const observer = new PerformanceObserver((list) => add(list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    Object.assign(window, {
      async shifted() {
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        add(observer.takeRecords());
        return seen;
      },
    });
  });
  await page.goto('/');
  await alive(page);
  await expectNothingMoved(page, 'loading');
  if (!opensWindows) {
    return;
  }

  await test.step('connections break, and one is made', async () => {
    for (const account of ['account 1', 'account 4']) {
      await context.request.post(`${hub.url}/api/check_connection`, {
        form: { id: ids[`sandbox ${account}`]! },
        headers: { origin: hub.url },
        maxRedirects: 0,
      });
      await expect(row(page, `Sandbox Shop ${account}`)).toContainText('Action needed');
    }
    const shop = await leave(page, page.getByRole('button', { name: /^Add another Sandbox Shop/ }), true);
    await approve(shop, HARBOUR);
    await expect(row(page, 'Sandbox Shop Harbour Books')).toContainText('Connected');
  });
  await expectNothingMoved(page, 'two connections that broke and one that was made');
  await expect(connectButton(page, 'Sandbox Shop')).toHaveCount(0);
});

async function expectNothingMoved(page: Page, when: string): Promise<void> {
  const { sum, shifts } = await page.evaluate(() =>
    (window as unknown as { shifted(): Promise<{ sum: number; shifts: string[] }> }).shifted(),
  );
  expect(sum, `${when}: ${shifts.join('; ')}`).toBeLessThan(0.01);
}
