// What a screen reader is told while nobody touches the page: every live region,
// in the order in which it spoke.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { alive, approve, connectButton, connectSandbox, leave, open, row } from '../support/people.ts';
import { callApi, newKey } from '../support/host.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

/** Keeps what live regions say from here on, on every page this tab shows. */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  const heard: string[] = [];
  await page.exposeFunction('hear', (text: string) => void heard.push(text));
  await page.addInitScript(() => {
    const LIVE = '[aria-live]:not([aria-live="off"]), [role="status"], [role="alert"]';
    const say = (window as unknown as { hear: (text: string) => void }).hear;
    const observer = new MutationObserver((changes) => {
      const regions = changes.map(({ target }) => {
        const element = target instanceof Element ? target : target.parentElement;
        return element?.closest(LIVE);
      });
      for (const region of new Set(regions)) {
        const text = region?.textContent?.trim();
        if (text) {
          say(text);
        }
      }
    });
    // What stands there from the beginning is read with the page, not announced.
    document.addEventListener('DOMContentLoaded', () =>
      observer.observe(document, { childList: true, characterData: true, subtree: true }),
    );
  });
  return async () => {
    // What is said on its way here arrives before the answer of the page.
    await page.evaluate(() => new Promise(requestAnimationFrame));
    return heard;
  };
}

test('connecting, trouble and its end are each told once, and the focus stays', async ({ page, owner: _, hub }) => {
  const heard = await listen(page);
  await page.goto('/');
  await alive(page);
  const connect = connectButton(page, 'Sandbox Shop');
  await expect(connect).toHaveAccessibleName('Connect Sandbox Shop (opens a window)');
  const shop = await leave(page, connect, true);
  await approve(shop);
  await expect(row(page, SHOP)).toContainText('Connected');
  expect(await heard()).toEqual([
    'Waiting for Sandbox Shop. Approve in the window that opened.',
    'Sandbox Shop connected as Maple & Co.',
  ]);

  const key = newKey(hub, 'connections:read,connections:write');
  const link = row(page, SHOP).getByRole('link', { name: SHOP });
  const id = (await link.getAttribute('href'))!.split('/').pop();
  const test = () => callApi(hub, key, `/connections/${id}/test`, {});
  await link.focus();

  await hub.sandbox.breakWith({ kind: { server_error: { status: 503 } }, at: ['api'] });
  await test();
  await expect(row(page, SHOP)).toContainText('Retrying');
  await hub.sandbox.breakWith({ kind: { refuse: { error: 'session_expired' } }, at: ['api'] });
  await test();
  await expect(row(page, SHOP)).toContainText('Action needed');
  await hub.sandbox.heal();
  await test();
  await expect(row(page, SHOP)).toContainText('Connected');
  // Nothing is new: nothing is said.
  await test();
  expect((await heard()).slice(2)).toEqual([
    'Sandbox Shop Maple & Co.: Retrying',
    'Sandbox Shop Maple & Co.: Action needed',
    'Sandbox Shop connected as Maple & Co.',
  ]);
  await expect(link).toBeFocused();
});

test('the page of a connection tells its status when that changes', async ({ page, owner: _, hub }) => {
  // Its window has closed: what a tab is told to expose waits for every other.
  await connectSandbox(page, true);
  await open(page, SHOP);
  const id = page.url().split('/').pop()!;
  const heard = await listen(page);
  await page.reload();
  await alive(page);
  const key = newKey(hub, 'connections:read,connections:write');
  await hub.sandbox.revokeAll();
  await callApi(hub, key, `/connections/${id}/test`, {});
  await expect(page.getByRole('main').locator('header .status')).toHaveText('Action needed');
  await expect(page.getByRole('region', { name: 'What to do' })).toBeVisible();
  expect(await heard()).toEqual(['Action needed']);
});

test('what is unfolded stays so where a page is drawn again, and so does the focus', async ({ page, owner: _, hub }) => {
  await connectSandbox(page, true);
  await open(page, SHOP);
  const id = page.url().split('/').pop()!;
  await hub.sandbox.revokeAll();
  await callApi(hub, newKey(hub, 'connections:read,connections:write'), `/connections/${id}/test`, {});
  await page.goto('/notices');
  const fold = page.locator('#notices details');
  await fold.locator('summary').click();
  await expect(fold).toHaveJSProperty('open', true);
  const drawn = (await fold.elementHandle())!;
  // As when somebody comes back to this tab.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await expect.poll(() => drawn.evaluate((element) => element.isConnected)).toBe(false);
  await expect(fold).toHaveJSProperty('open', true);
  await expect(fold.locator('summary')).toBeFocused();
});
