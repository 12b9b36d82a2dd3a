// Finding an app among two hundred, by typing and by choosing, with and without
// JavaScript: both find the same, in the same order.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { alive } from '../support/people.ts';

const cards = (page: Page) => page.locator('#cards > li:visible');
const names = (page: Page) => page.locator('#cards > li:visible .offer-link').allTextContents();

/** Types into the search; without a script, its button sends it. */
async function find(page: Page, words: string, javaScript: boolean): Promise<void> {
  await page.getByRole('searchbox').fill(words);
  if (!javaScript) {
    await page.getByRole('search').getByRole('button', { name: 'Search' }).click();
  }
}

/** Chooses in one of the filters. */
async function choose(page: Page, filter: string, option: string, javaScript: boolean): Promise<void> {
  await page.getByRole('combobox', { name: filter }).selectOption({ label: option });
  if (!javaScript) {
    await page.getByRole('search').getByRole('button', { name: 'Search' }).click();
  }
}

test.beforeEach(async ({ page, owner: _, opensWindows }) => {
  await page.goto('/');
  if (opensWindows) {
    await alive(page);
  }
});

test('apps are found by name, other names and category', async ({ page, opensWindows }) => {
  await expect(cards(page)).toHaveCount(12);
  await find(page, 'ig', opensWindows);
  await expect(cards(page).first()).toContainText('Instagram');
  await find(page, 'bookkeeping', opensWindows);
  await expect(page.getByRole('link', { name: 'Xero', exact: true })).toBeVisible();
  await expect(page.locator('#found')).toHaveText(/^\d+ apps$/);
  await page.getByRole('link', { name: 'Start over' }).click();
  await expect(cards(page)).toHaveCount(12);
  await expect(page.getByRole('searchbox')).toHaveValue('');
});

test('filters narrow by category, region and kind of sign-in, and can be undone', async ({ page, opensWindows }) => {
  await choose(page, 'Signing in', 'Needs a database login', opensWindows);
  await expect(page.getByRole('link', { name: 'PostgreSQL', exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Shopify', exact: true })).toBeHidden();
  await expect(page).toHaveURL(/sign-in=database/);

  await page.getByRole('link', { name: 'Start over' }).click();
  await page.getByRole('navigation', { name: 'Browse by category' }).getByRole('link', { name: /^Payments/ }).click();
  await expect(page).toHaveURL(/category=payments/);
  await expect(page.getByRole('combobox', { name: 'Category' })).toHaveValue('payments');
  const everywhere = await cards(page).count();
  await choose(page, 'Region', 'United Kingdom', opensWindows);
  const inTheUk = await cards(page).count();
  expect(inTheUk).toBeGreaterThan(0);
  expect(inTheUk).toBeLessThanOrEqual(everywhere);
  await expect(page.locator('#found')).toHaveText(`${inTheUk} ${inTheUk === 1 ? 'app' : 'apps'}`);
});

test('every app can be listed', async ({ page }) => {
  const button = page.getByRole('link', { name: /^Show all \d+ apps$/ });
  const total = Number((await button.textContent())!.match(/\d+/)![0]);
  expect(total).toBeGreaterThanOrEqual(150);
  await button.click();
  await expect(cards(page)).toHaveCount(total);
});

test('what is not there leads to an API of one’s own, and is noted for the admins', async ({ page, opensWindows }) => {
  await find(page, 'Zebra Ledger 9000', opensWindows);
  await expect(page.getByText('No app called ‘Zebra Ledger 9000’.')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Connect REST API' })).toHaveAttribute('href', '/connect/rest-api');
  const wish = page.getByLabel('Tell us what you miss');
  await expect(wish).toHaveValue('Zebra Ledger 9000');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.getByText(/^Noted\./)).toBeVisible();
  await page.goto('/settings/provider-apps');
  await expect(page.getByRole('region', { name: 'What people miss' })).toContainText('Zebra Ledger 9000');
});

test('typing and an address find the same in the same order', async ({ page, opensWindows }) => {
  test.skip(!opensWindows, 'only one way to search');
  for (const words of ['google', 'pay', 'sto', 'google sh', 'sheets google', 'ads', 'mail', 'é', 'x']) {
    await page.getByRole('searchbox').fill(words);
    await expect(page).toHaveURL(new RegExp(`q=${encodeURIComponent(words)}`));
    const typed = await names(page);
    const other = await page.context().newPage();
    await other.goto(`/?q=${encodeURIComponent(words)}`);
    expect(typed, words).toEqual(await names(other));
    await other.close();
  }
});
