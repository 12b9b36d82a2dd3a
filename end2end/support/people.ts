// What people do, on the hub and at providers.

import { type Locator, type Page } from '@playwright/test';
import { expect } from './test.ts';
import { MAPLE } from './sandbox.ts';

/** The row that a person finds by its name: a provider, or provider and account. */
export function row(page: Page, name: string): Locator {
  const link = page.getByRole('link', { name, exact: true });
  return page.getByRole('listitem').filter({ has: link });
}

/** Opens the hub where it shows what answers to these words. */
export async function search(page: Page, words: string): Promise<void> {
  await page.goto(`/?q=${encodeURIComponent(words)}`);
}

/** The button that starts a flow for a provider that is not connected. */
export function connectButton(page: Page, provider: string): Locator {
  return row(page, provider).getByRole('button', { name: new RegExp(`^Connect ${provider}`) });
}

/**
 * Waits until the islands listen: the first thing they do is to ask for the
 * lock on the event stream. `tabs` is how many pages of the hub are open.
 */
export async function alive(page: Page, tabs = 1): Promise<void> {
  await page.waitForFunction(async (tabs) => {
    const { held = [], pending = [] } = await navigator.locks.query();
    return [...held, ...pending].filter((lock) => lock.name === 'linkwell-events').length >= tabs;
  }, tabs);
}

/** Presses what starts a flow; the page that shows the provider then. */
export async function leave(page: Page, button: Locator, opensWindow: boolean): Promise<Page> {
  if (opensWindow) {
    await alive(page);
    const [opened] = await Promise.all([page.waitForEvent('popup'), button.click()]);
    await atProvider(opened);
    return opened;
  }
  const before = page.context().pages().length;
  await button.click();
  await atProvider(page);
  expect(page.context().pages(), 'no window is opened').toHaveLength(before);
  return page;
}

/** The hub is on `127.0.0.1`; providers have names. */
export async function atProvider(page: Page): Promise<void> {
  await page.waitForURL((url) => !['', '127.0.0.1'].includes(url.hostname));
}

/** Approves at the sandbox shop. */
export async function approve(shop: Page, account = MAPLE): Promise<void> {
  await shop.getByRole('radio', { name: new RegExp(account.email) }).check();
  await shop.getByRole('button', { name: 'Approve' }).click();
}

/** Connects the sandbox shop from the hub page. */
export async function connectSandbox(page: Page, opensWindow: boolean, account = MAPLE): Promise<void> {
  await page.goto('/');
  const shop = await leave(page, connectButton(page, 'Sandbox Shop'), opensWindow);
  await approve(shop, account);
  if (opensWindow) {
    // It closes itself; until then another flow would be shown in it.
    await expect.poll(() => shop.isClosed()).toBe(true);
  }
  await expect(row(page, `Sandbox Shop ${account.name}`)).toContainText('Connected');
}

/** Goes on to the hub from the page of a test that made a connection. */
export async function afterTest(page: Page, name: string): Promise<void> {
  await expect(page.getByRole('heading', { name: `${name} connected` })).toBeVisible();
  await page.getByRole('link', { name: 'Go to connections' }).click();
}

/** Opens the page of a connection from the hub. */
export async function open(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
}

/** Presses Check now on the page of a connection. */
export async function check(page: Page): Promise<void> {
  await page.getByRole('main').getByRole('button', { name: 'Check now' }).first().click();
}

/** Signs in at `oidc-provider`, which takes any name, and stops at its consent page. */
export async function signInAtOidc(provider: Page, login: string): Promise<void> {
  await provider.getByPlaceholder('Enter any login').fill(login);
  await provider.getByPlaceholder('and password').fill('any');
  await provider.getByRole('button', { name: 'Sign-in' }).click();
  await expect(provider.getByRole('button', { name: 'Continue' })).toBeVisible();
}
