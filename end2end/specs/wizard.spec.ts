// The conversation that collects keys, in both its skins, with and without
// JavaScript.

import type { Page } from '@playwright/test';
import { expect, signIn, test } from '../support/test.ts';
import { afterTest, alive, row } from '../support/people.ts';

// It passes at the look-alike, which refuses live keys.
const RIGHT = 'sk_test_AlderAndAsh';
const WRONG = 'rk_live_AlderAndAsh';
const STRIPE = 'Stripe (API key)';
const KEY = 'Restricted API key';

const talk = (page: Page) => page.getByRole('log', { name: 'Conversation' });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

async function begin(page: Page): Promise<void> {
  await page.goto('/connect/stripe');
  await press(page, `Set up ${STRIPE}`);
  await expect(talk(page)).toContainText('a long password made for one app');
  await press(page, 'Understood, go on');
  await expect(page.getByRole('heading', { name: 'Question 1 of 1' })).toBeVisible();
}

async function answer(page: Page, key: string): Promise<void> {
  await page.getByLabel(KEY, { exact: true }).fill(key);
  await press(page, 'Continue');
}

test('questions are answered one by one, a wrong key is named, a right one connects', async ({ page, owner: _ }) => {
  await begin(page);
  await press(page, 'Where do I find this?');
  await expect(talk(page)).toContainText('1. ');

  await answer(page, 'nonsense');
  await expect(page.getByText(/it should look like/).first()).toBeVisible();
  await answer(page, WRONG);
  await expect(talk(page)).toContainText(`ending in ${WRONG.slice(-4)}`);
  await expect(page.locator('body')).not.toContainText(WRONG);
  await press(page, 'Test and connect');
  await expect(page.getByRole('alert')).toContainText(`${STRIPE} rejected the key or password`);
  // The failed line says so itself; what passed stays.
  const lines = page.getByRole('list', { name: 'Test' }).getByRole('listitem');
  await expect(lines.filter({ has: page.getByRole('alert') })).toHaveText(/^Sign in, failed/);
  await expect(lines.filter({ hasText: /passed$/ })).toHaveText([/Reach the service/, /Encrypted connection/]);

  await press(page, 'Enter new credentials');
  await answer(page, RIGHT);
  await press(page, 'Test and connect');
  await expect(page.getByRole('main')).toContainText('Test data only');
  await expect(lines.filter({ hasText: 'passed' })).toHaveCount(4);
  await afterTest(page, STRIPE);
  await expect(row(page, `${STRIPE} Stripe.com`)).toContainText('Connected');
});

test('a secret typed into the conversation is moved to its field', { tag: '@once' }, async ({ page, owner: _ }) => {
  await begin(page);
  await page.getByLabel('Ask, or answer here').fill(`it is ${RIGHT}`);
  await press(page, 'Send');
  await expect(talk(page)).toContainText('gone from here');
  await expect(page.locator('body')).not.toContainText(RIGHT);
  await expect(page.getByRole('heading', { name: 'Ready to test' })).toBeVisible();
  expect(await page.content()).not.toContain(RIGHT);
});

test('it goes on as a form, and in another browser', { tag: '@once' }, async ({ page, hub, owner: _, browser }) => {
  await begin(page);
  await answer(page, RIGHT);
  await press(page, 'Show as form');
  await expect(page.getByLabel(KEY, { exact: true })).toHaveAttribute('placeholder', /ending in dAsh/);

  const elsewhere = await browser.newContext();
  await signIn(hub, elsewhere);
  const other = await elsewhere.newPage();
  await other.goto(hub.url);
  await other.getByRole('region', { name: /^In progress/ }).getByRole('link', { name: STRIPE }).click();
  await press(other, 'Ask me one by one');
  await expect(other.getByRole('heading', { name: 'Ready to test' })).toBeVisible();
  await press(other, 'Discard');
  await expect(other.getByRole('button', { name: `Set up ${STRIPE}` })).toBeVisible();
  await elsewhere.close();
});

test('the keyboard is enough', { tag: '@once' }, async ({ page, owner: _, opensWindows }) => {
  test.skip(!opensWindows, 'without a script the browser itself moves the focus');
  await page.goto('/');
  await alive(page);
  await page.goto('/connect/stripe');
  await page.getByRole('button', { name: `Set up ${STRIPE}` }).press('Enter');
  await expect(page.getByRole('button', { name: 'Understood, go on' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByLabel(KEY, { exact: true })).toBeFocused();
  await page.keyboard.type(RIGHT);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Test and connect' })).toBeFocused();
  await page.keyboard.press('Enter');
  const on = page.getByRole('link', { name: 'Go to connections' });
  await expect(on).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(row(page, `${STRIPE} Stripe.com`)).toContainText('Connected');
});

test('nothing is lost in either skin, back and forth, on the narrowest screen', { tag: '@once' }, async ({ page, owner: _ }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  const fits = async () => {
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(wider, 'nothing reaches beyond the edge').toBeLessThanOrEqual(0);
  };
  await page.goto('/connect/redis');
  await press(page, 'Set up Redis');
  await fits();
  await press(page, 'Understood, go on');
  await page.getByLabel('Host', { exact: true }).fill('cache.alder.example');
  await press(page, 'Continue');
  await expect(page.getByRole('heading', { name: /^Question 2 of/ })).toBeVisible();
  await press(page, 'Skip');
  await expect(page.getByRole('heading', { name: /^Question 3 of/ })).toBeVisible();
  await fits();

  await press(page, 'Show as form');
  await expect(page.getByLabel('Host', { exact: true })).toHaveValue('cache.alder.example');
  await fits();
  await press(page, 'Ask me one by one');
  await expect(page.getByRole('heading', { name: /^Question 3 of/ })).toBeVisible();
  await press(page, 'Back');
  await press(page, 'Back');
  await expect(page.getByRole('heading', { name: /^Question 1 of/ })).toBeVisible();
  await expect(page.getByLabel('Host', { exact: true })).toHaveValue('cache.alder.example');
  await page.getByLabel('Ask, or answer here').fill('show as form');
  await press(page, 'Send');
  await expect(page.getByRole('button', { name: 'Test and connect' })).toBeVisible();
});
