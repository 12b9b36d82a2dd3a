// Every page in both themes: nothing for axe to find (WCAG 2.2 AA), nothing to
// scroll sideways to at 320 px, and headers that say how it may be used.

import { AxeBuilder } from '@axe-core/playwright';
import type { Page, Response } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { approve, check, connectSandbox, connectButton, leave, open } from '../support/people.ts';
import { HARBOUR } from '../support/sandbox.ts';

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const SHOP = 'Sandbox Shop Maple & Co.';

// Many pages, one after the other.
test.setTimeout(180_000);

for (const theme of ['light', 'dark']) {
  test.describe(`${theme} pages`, () => {
    test.beforeEach(async ({ context, hub }) => {
      await context.addCookies([{ name: 'linkwell-theme', value: theme, url: hub.url }]);
    });

    /** Looks at the page that is open. */
    async function inspect(page: Page, what: string): Promise<void> {
      await test.step(what, async () => {
        await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
        const { violations } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
        const found = violations.map(({ id, nodes }) => ({ id, at: nodes.map((node) => node.html) }));
        expect.soft(found, `axe on ${what}`).toEqual([]);
        await expectNoSidewaysScroll(page, what);
      });
    }

    async function visit(page: Page, path: string, what: string): Promise<void> {
      expectHeaders(await page.goto(path), what);
      await inspect(page, what);
    }

    test('before signing in', async ({ page, hub }) => {
      await visit(page, '/', 'setting up');
      hub.command(
        ['user', 'create', '--tenant', 'Alder', '--email', 'mia@alder.example', '--name', 'Mia'],
        'correct horse battery',
      );
      await visit(page, '/sign-in', 'signing in');
      await page.getByLabel('E-mail').fill('mia@alder.example');
      await page.getByLabel('Password').fill('not the password');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await expect(page.getByRole('alert')).toBeVisible();
      await inspect(page, 'a refused sign-in');
    });

    test('the hub and its connections', async ({ page, hub, owner: _, opensWindows }) => {
      await visit(page, '/', 'the hub with nothing connected');
      await visit(page, '/connect/sandbox', 'before connecting');
      await visit(page, '/connect/shopify', 'a provider that is not set up');
      await visit(page, '/connect/microsoft', 'a provider that asks something first');
      await connectSandbox(page, opensWindows);
      await connectHarbour(page, opensWindows);
      await inspect(page, 'the hub with connections');
      await page.getByRole('button', { name: 'More for Sandbox Shop Maple & Co.' }).click();
      await inspect(page, 'the menu of a row');
      await page.keyboard.press('Escape');
      await page.getByRole('searchbox').fill('nothing like it');
      await expect(page.getByText('No app called')).toBeVisible();
      await inspect(page, 'a search without result');
      await page.getByRole('searchbox').fill('');

      await open(page, SHOP);
      await inspect(page, 'a connection');
      const connection = new URL(page.url()).pathname;
      await visit(page, `${connection}/disconnect`, 'disconnecting');
      await hub.sandbox.revokeAll();
      await page.goto(connection);
      await check(page);
      await expect(page.getByRole('region', { name: 'What to do' })).toBeVisible();
      await inspect(page, 'a connection that needs somebody');
      await visit(page, '/', 'the hub with something to do');
    });

    test('a flow and its endings', async ({ page, hub, owner: _, opensWindows, watch }) => {
      await page.goto('/');
      const shop = await leave(page, connectButton(page, 'Sandbox Shop'), opensWindows);
      if (opensWindows) {
        await inspect(page, 'the hub while it waits');
      }
      await shop.getByRole('button', { name: 'Cancel' }).click();
      await expect(shop.getByRole('alert')).toBeVisible();
      await inspect(shop, 'a flow that was denied');
      if (opensWindows) {
        await shop.close();
      }

      await connectSandbox(await page.context().newPage(), opensWindows);
      await page.goto('/');
      await open(page, SHOP);
      await page.getByRole('link', { name: 'Reconnect' }).click();
      const button = page.getByRole('button', { name: /^Reconnect Sandbox Shop/ });
      const again = await leave(page, button, opensWindows);
      await approve(again, HARBOUR);
      await expect(again.getByRole('alert')).toBeVisible();
      await inspect(again, 'another account');
      // Where a provider sends people back to must stay within reach of the
      // page that opened it, so its headers differ.
      watch.allow(/flows\/ended.* status of 404/);
      await page.goto('/flows/ended');
      await inspect(page, 'an attempt that is unknown');
      expect(await hub.sandbox.grants()).toBeGreaterThan(0);
    });

    test('settings', async ({ page, owner: _ }) => {
      await visit(page, '/settings/provider-apps', 'provider apps');
      await visit(page, '/settings/provider-apps/shopify', 'an app to set up');
      await visit(page, '/settings/provider-apps/github', 'an app from the environment');
      await visit(page, '/settings/api-keys', 'API keys');
      await page.getByRole('button', { name: 'Create key' }).waitFor();
      await page.getByLabel('Name').fill('Automations');
      await page.getByLabel('Borrow working tokens').check();
      await page.getByRole('button', { name: 'Create key' }).click();
      await expect(page.getByRole('heading', { name: 'Copy this key now' })).toBeVisible();
      await inspect(page, 'a new key');
      await visit(page, '/settings/api-keys', 'API keys with one');
      await visit(page, '/settings/account', 'the account');
      await page.getByRole('button', { name: 'Your account' }).click();
      await inspect(page, 'the account menu');
    });

    test('what is not there', async ({ page, owner: _, watch }) => {
      watch.allow(/status of 404/);
      await visit(page, '/nothing/here', 'a page that is not there');
      await visit(page, '/connections/00000000-0000-7000-8000-000000000000', 'no such connection');
    });
  });
}

/** Connects a second account of the sandbox shop. */
async function connectHarbour(page: Page, opensWindows: boolean): Promise<void> {
  await page.goto('/');
  const button = page.getByRole('button', { name: /^Add another Sandbox Shop/ });
  await approve(await leave(page, button, opensWindows), HARBOUR);
  await expect(page.getByRole('link', { name: 'Sandbox Shop Harbour Books' })).toBeVisible();
}

async function expectNoSidewaysScroll(page: Page, what: string): Promise<void> {
  const before = page.viewportSize()!;
  await page.setViewportSize({ width: 320, height: before.height });
  const wider = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  await page.setViewportSize(before);
  expect.soft(wider, `${what} at 320 px`).toBe(0);
}

function expectHeaders(response: Response | null, what: string): void {
  const headers = response?.headers() ?? {};
  expect.soft(headers, `headers of ${what}`).toMatchObject({
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin-allow-popups',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  });
  const policy = headers['content-security-policy'] ?? '';
  expect.soft(policy, `policy of ${what}`).toContain("frame-ancestors 'none'");
  expect.soft(policy, `policy of ${what}`).not.toMatch(/unsafe-inline|unsafe-eval(?<!wasm-unsafe-eval)/);
}
