// What goes wrong after a connection is made: who is told what, and how it heals.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { alive, approve, atProvider, check, connectSandbox, leave, open, row } from '../support/people.ts';
import { HARBOUR, MAPLE, type Fault } from '../support/sandbox.ts';

const SHOP = 'Sandbox Shop Maple & Co.';
const OTHER = 'Sandbox Shop Harbour Books';

test.beforeEach(async ({ page, owner: _ }) => {
  await connectSandbox(page, true);
});

/** The status that the page of a connection shows under its name. */
const status = (page: Page) => page.getByRole('main').locator('header .status');

/** The card that says what to do. */
const prompt = (page: Page) => page.getByRole('region', { name: 'What to do' });

/** Reconnects from the connection's page, and signs in as somebody else. */
async function reconnectAsOther(page: Page): Promise<Page> {
  await open(page, SHOP);
  await page.getByRole('link', { name: 'Sign in again' }).click();
  const shop = await leave(page, page.getByRole('button', { name: /^Reconnect Sandbox Shop/ }), true);
  await approve(shop, HARBOUR);
  await expect(shop.getByRole('alert')).toContainText(
    'You signed in as Harbour Books, but this connection belongs to Maple & Co.',
  );
  await expect(page.getByRole('main')).toContainText('Another account signed in.');
  return shop;
}

test('another account on reconnect is kept only when asked for', async ({ page }) => {
  const shop = await reconnectAsOther(page);
  await shop.getByRole('button', { name: 'Add as a second account' }).click();
  await expect.poll(() => shop.isClosed()).toBe(true);
  await page.goto('/');
  await expect(row(page, OTHER)).toContainText('Connected');
  await expect(row(page, SHOP)).toContainText('Connected');
});

test('from another account the way leads back to sign in with the right one', async ({ page, hub }) => {
  const shop = await reconnectAsOther(page);
  await shop.getByRole('button', { name: 'Use Maple & Co.' }).click();
  await atProvider(shop);
  await expect(page.getByRole('main')).toContainText('Waiting for Sandbox Shop.');
  expect(await hub.sandbox.accounts(), 'the unwanted grant is ended').not.toContain(HARBOUR.id);

  await approve(shop);
  await expect.poll(() => shop.isClosed()).toBe(true);
  await expect(page).toHaveURL(/\/#c-/);
  await expect(row(page, SHOP)).toContainText('Connected');
  await expect(row(page, OTHER)).toHaveCount(0);
});

test('another account on reconnect is dropped when nothing shall change', async ({ page, hub }) => {
  const shop = await reconnectAsOther(page);
  await shop.getByRole('button', { name: 'Not now' }).click();
  await expect.poll(() => shop.isClosed()).toBe(true);
  await expect(page.getByRole('main')).toContainText('Cancelled. Nothing was changed.');
  expect(await hub.sandbox.accounts()).toEqual([MAPLE.id]);
  await page.goto('/');
  await expect(row(page, SHOP)).toContainText('Connected');
  await expect(row(page, OTHER)).toHaveCount(0);
});

test('Cancel while another account waits for an answer drops it too', async ({ page, hub }) => {
  const shop = await reconnectAsOther(page);
  await page.getByRole('main').getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(() => shop.isClosed()).toBe(true);
  await expect.poll(() => hub.sandbox.accounts()).toEqual([MAPLE.id]);
  await page.reload();
  await expect(page.getByRole('button', { name: /^Reconnect Sandbox Shop/ })).toBeVisible();
});

test('who cancels a reconnect at the provider is led back to reconnecting', async ({ page }) => {
  await open(page, SHOP);
  await page.getByRole('link', { name: 'Sign in again' }).click();
  const button = page.getByRole('button', { name: /^Reconnect Sandbox Shop/ });
  const shop = await leave(page, button, true);
  await shop.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('main')).toContainText('You chose Cancel at Sandbox Shop.');
  await shop.getByRole('link', { name: 'Try again' }).click();
  await expect(shop.getByRole('heading', { level: 1 })).toHaveText('Reconnect Sandbox Shop');
  await expect(shop.getByRole('main')).toContainText(MAPLE.name);
});

test('a permission that was left out is named, and added on request', async ({ page }) => {
  await open(page, SHOP);
  await page.getByRole('link', { name: 'Sign in again' }).click();
  const shop = await leave(page, page.getByRole('button', { name: /^Reconnect Sandbox Shop/ }), true);
  await shop.getByRole('checkbox', { name: /See your orders/ }).uncheck();
  await approve(shop);
  await expect(row(page, SHOP)).toContainText('One thing does not work: see orders.');
  await expect(row(page, SHOP)).toContainText('Connected');

  await open(page, SHOP);
  await expect(page.getByText('Missing: See orders')).toBeVisible();
  const again = await leave(page, page.getByRole('button', { name: /^Add permission/ }), true);
  await approve(again);
  await expect(prompt(page)).toBeHidden();
  await expect(page.getByText('Missing: See orders')).toBeHidden();
});

const TROUBLE: { name: string; fault: Fault; says: RegExp; tag?: string; waits?: boolean }[] = [
  {
    name: 'a shop that is down',
    fault: { kind: { server_error: { status: 503 } }, at: ['api'] },
    says: /Sandbox Shop is limiting or not working right now\./,
  },
  {
    name: 'a shop that asks to slow down',
    fault: { kind: { rate_limit: { retry_after: { seconds: 5 } } }, at: ['api'] },
    says: /Sandbox Shop asked us to slow down\./,
    tag: '@once',
    waits: true,
  },
  {
    name: 'a shop that answers with a web page',
    fault: { kind: { garbage: 'html' }, at: ['api'] },
    says: /Sandbox Shop is limiting or not working right now\.|Something went wrong on our side\./,
    tag: '@once',
  },
  {
    name: 'a shop that hangs up',
    fault: { kind: 'cut_connection', at: ['api'] },
    says: /Sandbox Shop did not answer\./,
    tag: '@once',
  },
];

for (const { name, fault, says, tag = [], waits } of TROUBLE) {
  test(`${name} needs nobody, and heals`, { tag }, async ({ page, hub }) => {
    await open(page, SHOP);
    await alive(page);
    await hub.sandbox.breakWith(fault);
    await check(page);
    await expect(status(page)).toContainText('Retrying at');
    await expect(prompt(page)).toContainText(says);
    await expect(prompt(page)).toContainText('No action needed.');
    await expect(prompt(page).getByRole('button', { name: /connect/i })).toHaveCount(0);

    await hub.sandbox.heal();
    if (waits) {
      // Nobody is asked before the time that was named, and then without being told to.
      await expect(status(page)).toHaveText('Connected', { timeout: 40_000 });
      await expect(prompt(page)).toBeHidden();
      return;
    }
    await check(page);
    await expect(status(page)).toHaveText('Connected');
    await expect(prompt(page)).toBeHidden();
    await expect(page.getByRole('region', { name: 'History' })).toContainText('Checked: it works');
  });
}

test('a slow shop keeps the button busy until it answers', async ({ page, hub }) => {
  await open(page, SHOP);
  await alive(page);
  await hub.sandbox.breakWith({ kind: { slow: { ms: 2_000 } }, at: ['api'] });
  await check(page);
  await expect(page.getByRole('button', { name: 'Checking' })).toHaveAttribute('aria-busy', 'true');
  await expect(page.getByRole('button', { name: 'Check now' })).toBeVisible();
  await expect(status(page)).toHaveText('Connected');
});

test('a grant that was withdrawn asks for one thing, and reconnecting keeps the row', async ({
  page,
  context,
  hub,
}) => {
  await open(page, SHOP);
  const address = page.url();
  const other = await context.newPage();
  await other.goto('/');
  await alive(other, 2);

  await hub.sandbox.revokeAll();
  await check(page);
  await expect(status(page)).toHaveText('Action needed');
  await expect(prompt(page)).toContainText('Sandbox Shop stopped accepting our access on');
  await expect(prompt(page).getByRole('button').and(page.locator('[data-kind=primary]'))).toHaveCount(1);
  await expect(row(other, SHOP)).toContainText('Action needed', { timeout: 2_000 });

  await check(page);
  await expect(page.getByText('Checked just now. What to do is below.')).toBeVisible();
  expect(page.url()).toBe(address);
  await alive(page, 2);

  const again = page.getByRole('button', { name: /^Reconnect Sandbox Shop/ });
  await approve(await leave(page, again, true));
  await expect(status(page)).toHaveText('Connected');
  await expect(prompt(page)).toBeHidden();
  await expect(row(other, SHOP)).toContainText('Connected', { timeout: 2_000 });
  expect(page.url()).toBe(address);
});
