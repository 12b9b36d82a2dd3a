// Every page, in both themes: nothing for axe to find (WCAG 2.2 AA), nothing to
// scroll sideways to at 320 px, and headers that say how it may be used.

import { AxeBuilder } from '@axe-core/playwright';
import type { Page, Response } from '@playwright/test';
import { change } from '../support/database.ts';
import { expect, test as base } from '../support/test.ts';
import { approve, check, connectSandbox, connectButton, leave, open } from '../support/people.ts';
import { HARBOUR } from '../support/sandbox.ts';

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const SHOP = 'Sandbox Shop Maple & Co.';

/** What the hub may have found of its own audit log, as columns of its row. */
const AUDITS = [
  ['a verified audit log', `checked_seq = seq, checked_at = strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')`],
  ['an audit log verified too long ago', `checked_at = '2001-01-01T00:00:00+00:00'`],
  ['an audit log that somebody changed', 'broken_seq = 1'],
] as const;

interface Look {
  /** Looks at the page that is open, or at another one. */
  inspect(what: string, shown?: Page): Promise<void>;
  /** Opens a page and looks at it. */
  visit(path: string, what: string): Promise<void>;
}

const test = base.extend<{ look: Look }>({
  look: async ({ page, themes }, use) => {
    const inspect = (what: string, shown = page) =>
      test.step(what, async () => {
        await expectNoSidewaysScroll(shown, what);
        for (const theme of themes) {
          await paint(shown, theme);
          // In legacy mode it opens no page of its own: that is for frames, and ours have none.
          const axe = new AxeBuilder({ page: shown }).setLegacyMode();
          const found = await axe.options({ resultTypes: ['violations'] }).withTags(WCAG).analyze();
          const violations = found.violations.map(({ id, nodes }) => ({ id, at: nodes.map((node) => node.html) }));
          expect.soft(violations, `axe on ${what}, ${theme}`).toEqual([]);
        }
      });
    const visit = async (path: string, what: string) => {
      expectHeaders(await page.goto(path), what);
      await inspect(what);
    };
    await use({ inspect, visit });
  },
});

// Many pages, one after the other.
test.setTimeout(180_000);

test('before signing in', async ({ page, hub, look: { inspect, visit } }) => {
  await visit('/', 'setting up');
  await page.getByLabel('Organisation').fill('Alder');
  await sendUnchecked(page, 'Create account');
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect('an account that was not made');
  hub.command(
    ['user', 'create', '--tenant', 'Alder', '--email', 'mia@alder.example', '--name', 'Mia'],
    'correct horse battery',
  );
  await visit('/sign-in', 'signing in');
  await page.getByLabel('E-mail').fill('mia@alder.example');
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect('a refused sign-in');
});

test('the hub', async ({ page, owner: _, opensWindows, look: { inspect, visit } }) => {
  await visit('/', 'the hub with nothing connected');
  await visit('/notices', 'no notices');
  await visit('/connect/sandbox', 'before connecting');
  await visit('/connect/shopify', 'a provider that is not set up');
  await visit('/connect/microsoft', 'a provider that asks something first');
  await connectSandbox(page, opensWindows);
  await connectHarbour(page, opensWindows);
  await inspect('the hub with connections');
  await page.getByRole('button', { name: 'More for Sandbox Shop Maple & Co.' }).click();
  await inspect('the menu of a row');
  await page.keyboard.press('Escape');
  await page.getByRole('searchbox').fill('nothing like it');
  await expect(page.getByText('No app called')).toBeVisible();
  await inspect('a search without result');
});

test('a connection', async ({ page, hub, owner: _, opensWindows, look: { inspect, visit } }) => {
  await connectSandbox(page, opensWindows);
  await page.goto('/');
  await open(page, SHOP);
  await inspect('a connection');
  const connection = new URL(page.url()).pathname;
  await visit(`${connection}/disconnect`, 'disconnecting');
  await visit(`${connection}/clear`, 'clearing');
  await visit('/settings/connections', 'how connections are kept');
  await visit(`${connection}/delete`, 'deleting');
  await hub.sandbox.revokeAll();
  await page.goto(connection);
  await check(page);
  await expect(page.getByRole('region', { name: 'What to do' })).toBeVisible();
  await inspect('a connection that needs somebody');
  await visit('/', 'the hub with something to do');
  await visit('/notices', 'notices');
  await visit('/settings/notices', 'what is mailed');
});

test('a flow and its endings', async ({ page, hub, owner: _, opensWindows, look: { inspect } }) => {
  await page.goto('/');
  const shop = await leave(page, connectButton(page, 'Sandbox Shop'), opensWindows);
  if (opensWindows) {
    await inspect('the hub while it waits');
  }
  await shop.getByRole('button', { name: 'Cancel' }).click();
  await expect(shop.getByRole('alert')).toBeVisible();
  await inspect('a flow that was denied', shop);
  if (opensWindows) {
    await shop.close();
  }

  await connectSandbox(await page.context().newPage(), opensWindows);
  await page.goto('/');
  await open(page, SHOP);
  await page.getByRole('link', { name: 'Sign in again' }).click();
  const button = page.getByRole('button', { name: /^Reconnect Sandbox Shop/ });
  const again = await leave(page, button, opensWindows);
  await approve(again, HARBOUR);
  await expect(again.getByRole('alert')).toBeVisible();
  await inspect('another account', again);
  const flow = again.url();
  if (opensWindows) {
    await inspect('the page that waits for a decision');
  }
  await again.getByRole('button', { name: 'Not now' }).click();
  await expect.poll(() => hub.sandbox.accounts()).not.toContain(HARBOUR.id);

  // It goes away by itself, so it is looked at without its script.
  await page.route(/popup.*\.js$/, (route) => route.fulfill({ body: '', contentType: 'text/javascript' }));
  await page.goto(flow);
  await expect(page.getByRole('heading', { name: 'Nothing was changed' })).toBeVisible();
  await inspect('a flow that was given up');
  // Where a provider sends people back to must stay within reach of the page
  // that opened it, so its headers differ.
  await page.goto('/flows/ended');
  await inspect('an attempt that is unknown');
});

test('the window of a flow', async ({ page, hub, owner: _, opensWindows, look: { inspect } }) => {
  test.skip(!opensWindows, 'there is none');
  await page.context().route(/popup.*\.js$/, (route) => route.fulfill({ body: '', contentType: 'text/javascript' }));
  await hub.sandbox.breakWith({ kind: 'isolate_opener' });
  await page.goto('/');
  const shop = await leave(page, connectButton(page, 'Sandbox Shop'), true);
  await approve(shop);
  await expect(shop.getByText('Done. You can close this page.')).toBeVisible();
  await inspect('the end of a window that cannot close itself', shop);
});

test('what a provider posts', async ({ page, hub, owner: _, look: { inspect } }) => {
  // The page posts it again by itself, so it is looked at without its script.
  await page.route(/popup.*\.js$/, (route) => route.fulfill({ body: '', contentType: 'text/javascript' }));
  const provider = 'http://localhost/provider';
  const address = `${hub.url}/oauth/callback/sandbox`;
  const form = `<form method="post" action="${address}"><input name="code" value="c"><button>Approve</button></form>`;
  await page.route(provider, (route) => route.fulfill({ body: form, contentType: 'text/html' }));
  await page.goto(provider);
  await page.getByRole('button', { name: 'Approve' }).click();
  await expect(page.getByRole('heading', { name: 'One moment' })).toBeVisible();
  await inspect('on the way back from a provider that posts');
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page).toHaveURL('/flows/ended');
});

test('what is entered by hand', async ({ page, owner: _, look: { inspect, visit } }) => {
  await visit('/connect/stripe', 'before setting up');
  await page.getByRole('button', { name: /^Set up/ }).click();
  await page.getByRole('button', { name: 'Understood, go on' }).click();
  const key = page.getByLabel('Restricted API key', { exact: true });
  await expect(key).toBeVisible();
  await inspect('a question');
  await key.fill('rk_live_AlderAndAsh');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Test and connect' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect('a test that failed');
  await page.getByRole('link', { name: 'Back to what you entered' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect('what a test found, afterwards');
  await page.getByRole('button', { name: 'Enter new credentials' }).click();
  await key.fill('sk_test_AlderAndAsh');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Test and connect' }).click();
  await expect(page.getByRole('link', { name: 'Look at the data' })).toBeVisible();
  await inspect('a test that connected');
  await page.getByRole('link', { name: 'Look at the data' }).click();
  await page.getByText('Name the columns for your automations').click();
  await inspect('a look at the data');
});

test('settings', async ({ page, hub, owner: _, look: { inspect, visit } }) => {
  await visit('/settings/provider-apps', 'provider apps');
  await visit('/settings/provider-apps/shopify', 'an app to set up');
  await sendUnchecked(page, 'Save');
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect('an app that was not saved');
  await page.getByLabel('Client ID').fill('an-id-'.repeat(8));
  await page.getByLabel('Client secret').fill('a-secret');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Shopify is set up.')).toBeVisible();
  await inspect('an app that is set up');
  await visit('/settings/provider-apps/google', 'an app from the environment');
  await visit('/settings/api-keys', 'API keys');
  await page.getByLabel('Name').fill('Automations');
  await page.getByLabel('Borrow working tokens').check();
  await page.getByRole('button', { name: 'Create key' }).click();
  await expect(page.getByRole('heading', { name: 'Copy this API key now' })).toBeVisible();
  await inspect('a new key');
  await visit('/settings/api-keys', 'API keys with one');
  await page.getByRole('link', { name: /^Revoke/ }).click();
  await inspect('a key, before it is revoked');
  await visit('/settings/webhooks', 'webhooks');
  await page.getByLabel('Address').fill('https://hooks.example.com/a-rather-long-path/that-has/no-place-to-break');
  await page.getByRole('button', { name: 'Add webhook' }).click();
  await inspect('a new signing secret');
  await visit('/settings/webhooks', 'webhooks with one');
  await page.getByRole('link', { name: /^New secret/ }).click();
  await inspect('a new secret, before it is made');
  await visit('/settings/webhooks', 'webhooks once more');
  await page.getByRole('link', { name: /^Remove/ }).click();
  await inspect('a webhook, before it is removed');
  await visit('/settings/members', 'members');
  await visit('/settings/audit', 'the audit log');
  await visit('/settings/audit?to=2001-01-01', 'nothing in the audit log');
  for (const [what, found] of AUDITS) {
    change(hub, `UPDATE audit_chain SET ${found}`);
    await visit('/settings/audit', what);
  }
  await visit('/settings/organisation', 'the organisation');
  await visit('/settings/account/delete', 'before an account is deleted');
  await visit('/settings/account', 'the account');
  await page.getByLabel('E-mail').fill('elsewhere@alder.example');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  await inspect('a profile that was not saved');
  await page.getByRole('button', { name: 'Your account' }).click();
  await inspect('the account menu');
});

test('what is not there', async ({ owner: _, watch, look: { visit } }) => {
  watch.allow(/status of 404/);
  await visit('/nothing/here', 'a page that is not there');
  await visit('/connections/00000000-0000-7000-8000-000000000000', 'no such connection');
});

/** Connects a second account of the sandbox shop. */
async function connectHarbour(page: Page, opensWindows: boolean): Promise<void> {
  await page.goto('/');
  const button = page.getByRole('button', { name: /^Add another Sandbox Shop/ });
  await approve(await leave(page, button, opensWindows), HARBOUR);
  await expect(page.getByRole('link', { name: 'Sandbox Shop Harbour Books' })).toBeVisible();
}

/** Presses a form's button past what the browser would have asked for. */
async function sendUnchecked(page: Page, button: string): Promise<void> {
  const press = page.getByRole('button', { name: button });
  await press.evaluate((button) => ((button as HTMLButtonElement).formNoValidate = true));
  await press.click();
}

/** Changes the colours in place, as the cookie does for the next page. */
async function paint(page: Page, theme: string): Promise<void> {
  await page.evaluate(async (theme) => {
    document.documentElement.setAttribute('data-theme', theme);
    const changing = document.getAnimations().filter((one) => one instanceof CSSTransition);
    await Promise.all(changing.map(({ finished }) => finished.catch(() => undefined)));
  }, theme);
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
  expect.soft(policy, `policy of ${what}`).not.toMatch(/unsafe-inline|(?<!wasm-)unsafe-eval/);
}
