// The window a provider is opened in, and everything that can happen to it.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { alive, approve, connectButton, leave, row } from '../support/people.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

test.beforeEach(async ({ page, owner: _ }) => {
  await page.goto('/');
  // Gone after a reload: whatever happens, the page has to update in place.
  await page.evaluate(() => document.documentElement.setAttribute('data-first-load', ''));
});

/** Opens the shop in a window from the hub page. */
const openShop = (page: Page) => leave(page, connectButton(page, 'Sandbox Shop'), true);

async function expectConnectedInPlace(page: Page): Promise<void> {
  await expect(row(page, SHOP)).toContainText('Connected');
  await expect(page.locator('html')).toHaveAttribute('data-first-load');
}

test('while it is open the row waits, and the focus stays on the row', async ({ page }) => {
  const shop = await openShop(page);
  const waiting = row(page, 'Sandbox Shop');
  await expect(waiting).toContainText('Waiting for Sandbox Shop. Approve in the window that opened.');
  await expect(waiting.getByRole('button', { name: 'Waiting for Sandbox Shop' })).toHaveAttribute(
    'aria-busy',
    'true',
  );
  await page.bringToFront();
  await approve(shop);
  await expectConnectedInPlace(page);
  await expect(page.locator('#announcer')).toHaveText('Sandbox Shop connected as Maple & Co.');
  const focused = page.locator(':focus');
  await expect(row(page, SHOP).and(page.locator(':focus-within'))).toBeVisible();
  await expect(focused).toBeVisible();
});

test('a browser that blocks windows gets the provider in the same tab', async ({ page, context }) => {
  await context.addInitScript(() => {
    window.open = () => null;
  });
  await page.goto('/');
  await alive(page);
  const shop = await leave(page, connectButton(page, 'Sandbox Shop'), false);
  await approve(shop);
  await expect(row(page, SHOP)).toContainText('Connected');
  await expect(page).toHaveURL(/\/#c-/);
  await expect(row(page, SHOP).getByRole('link').first()).toBeFocused();
});

test('a provider that cuts the window off ends in success', async ({ page, hub }) => {
  await hub.sandbox.breakWith({ kind: 'isolate_opener' });
  const shop = await openShop(page);
  // The window reads as closed from here on, which must not end the attempt.
  await expect(row(page, 'Sandbox Shop')).toContainText('Still waiting for Sandbox Shop');
  await approve(shop);
  await expectConnectedInPlace(page);
  await expect.poll(() => shop.isClosed()).toBe(true);
});

test('a window that is closed leaves a neutral line and a way on', async ({ page, hub }) => {
  const shop = await openShop(page);
  await shop.close();
  const waiting = row(page, 'Sandbox Shop');
  await expect(waiting).toContainText(
    'Still waiting for Sandbox Shop. Finish in the other window, or start again.',
  );
  await expect(waiting.locator('.spinner')).toBeHidden();

  const again = waiting.getByRole('button', { name: 'Open window again' });
  await approve(await leave(page, again, true));
  await expectConnectedInPlace(page);
  expect(await hub.sandbox.grants()).toBe(1);
});

test('Cancel ends the attempt, and a late approval changes nothing', async ({ page, context, hub }) => {
  const shop = await openShop(page);
  const consent = shop.url();
  await row(page, 'Sandbox Shop').getByRole('button', { name: 'Cancel' }).click();
  await expect(row(page, 'Sandbox Shop')).toContainText('Cancelled. Nothing was changed.');
  await expect.poll(() => shop.isClosed(), { message: 'the window is closed too' }).toBe(true);

  const late = await context.newPage();
  await late.goto(consent);
  await approve(late);
  await expect(late.getByText('This attempt cannot be used any more.')).toBeVisible();
  expect((await hub.sandbox.calls()).code_exchanges_ok, 'the code is not exchanged').toBe(0);
  await page.reload();
  await expect(connectButton(page, 'Sandbox Shop')).toBeVisible();
});

test('Cancel at the provider is said in both windows', async ({ page }) => {
  const shop = await openShop(page);
  await shop.getByRole('button', { name: 'Cancel' }).click();
  await expect(shop.getByRole('alert')).toContainText('You chose Cancel at Sandbox Shop.');
  await expect(row(page, 'Sandbox Shop')).toContainText('You chose Cancel at Sandbox Shop.');
  await expect(
    row(page, 'Sandbox Shop').getByRole('button', { name: 'Try again' }),
  ).toBeVisible();
});

test('a page that is loaded anew finds its attempt again', async ({ page }) => {
  const shop = await openShop(page);
  await page.reload();
  await expect(row(page, 'Sandbox Shop')).toContainText('Still waiting for Sandbox Shop');
  await approve(shop);
  await expect(row(page, SHOP)).toContainText('Connected');
});

test('a double click starts one flow', async ({ page, context, hub }) => {
  await alive(page);
  const opened = page.waitForEvent('popup');
  await connectButton(page, 'Sandbox Shop').dblclick();
  const shop = await opened;
  await shop.waitForURL((url) => url.hostname === 'localhost');
  await approve(shop);
  await expectConnectedInPlace(page);
  expect(context.pages().filter((open) => !open.isClosed()).length).toBeLessThanOrEqual(2);
  const { authorize, code_exchanges_ok } = await hub.sandbox.calls();
  expect({ authorize, code_exchanges_ok }).toEqual({ authorize: 1, code_exchanges_ok: 1 });
});

test('two tabs that connect the same account make one connection', async ({ page, context, hub }) => {
  const other = await context.newPage();
  await other.goto('/');
  const shops = [await openShop(page)];
  await alive(other, 2);
  shops.push(await leave(other, connectButton(other, 'Sandbox Shop'), true));
  for (const shop of shops) {
    await approve(shop);
    await expect.poll(() => shop.isClosed()).toBe(true);
  }
  for (const tab of [page, other]) {
    await tab.reload();
    await expect(row(tab, SHOP)).toHaveCount(1);
    await expect(row(tab, SHOP)).toContainText('Connected');
  }
  expect((await hub.sandbox.calls()).code_exchanges_ok).toBe(2);
});

test('every open tab shows the change within two seconds', async ({ page, context }) => {
  const other = await context.newPage();
  await other.goto('/');
  await alive(other, 2);
  const shop = await openShop(page);
  await approve(shop);
  await expect(row(page, SHOP)).toContainText('Connected');
  await expect(row(other, SHOP)).toContainText('Connected', { timeout: 2_000 });

  await page.goto(await row(page, SHOP).getByRole('link').first().getAttribute('href') ?? '');
  await page.getByRole('textbox', { name: 'Name' }).fill('Corner shop');
  await page.getByRole('button', { name: 'Rename' }).click();
  await expect(page.getByText('Name saved.')).toBeVisible();
  await expect(row(other, 'Sandbox Shop Corner shop')).toBeVisible({ timeout: 2_000 });
});

test('the page lives on when the hub restarts', async ({ page, hub, watch }) => {
  await alive(page);
  watch.allow(/ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE/);
  watch.allow(/\/events/);
  await hub.stop();
  await hub.run();
  await expect(async () => {
    const shop = await leave(page, connectButton(page, 'Sandbox Shop'), true);
    await approve(shop);
  }).toPass();
  await expectConnectedInPlace(page);
});
