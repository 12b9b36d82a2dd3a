// Signing in and out, one's own account, and what the keyboard reaches.

import type { Page } from '@playwright/test';
import { expect, OWNER, signIn, test } from '../support/test.ts';

test('signing out ends the session here and leads to signing in', async ({ page, owner: _ }) => {
  await page.goto('/');
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL('/sign-in');
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await page.goto('/settings/api-keys');
  await expect(page).toHaveURL('/sign-in?next=%2Fsettings%2Fapi-keys');
});

test('a wrong password keeps the e-mail address, and the right one leads on', async ({
  page,
  context,
  owner,
}) => {
  await context.clearCookies();
  await page.goto('/settings/account');
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText(
    'The e-mail address and the password do not belong together',
  );
  await expect(page).toHaveTitle(/^Error: Sign in/);
  await expect(page.getByLabel('E-mail')).toHaveValue(owner.email);
  await expect(page.getByLabel('Password')).toHaveValue('');

  await page.getByLabel('Password').fill(owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/settings/account');
});

test('an unknown address is answered like a known one', async ({ page, context, owner }) => {
  await context.clearCookies();
  await page.goto('/sign-in');
  for (const email of [owner.email, 'nobody@alder.example']) {
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText(
      'The e-mail address and the password do not belong together',
    );
    await expect(page.getByLabel('E-mail')).toHaveValue(email);
  }
});

test('signing out everywhere reaches another browser', async ({ page, browser, hub, owner: _ }) => {
  const elsewhere = await browser.newContext({ baseURL: hub.url });
  try {
    await signIn(hub, elsewhere);
    const other = await elsewhere.newPage();
    await other.goto('/settings/account');
    await expect(other.getByRole('heading', { name: 'Your account', exact: true })).toBeVisible();

    await page.goto('/settings/account');
    await page.getByRole('main').getByRole('button', { name: 'Sign out everywhere' }).click();
    await expect(page.getByText('You are signed out on every device.')).toBeVisible();
    await other.reload();
    await expect(other).toHaveURL(/\/sign-in/);
  } finally {
    await elsewhere.close();
  }
});

test('the first account is made once, and a short password is not taken', async ({ page }) => {
  await page.goto('/setup');
  const fill = async (password: string) => {
    await page.getByLabel('Organisation').fill(OWNER.organisation);
    await page.getByLabel('Your name').fill(OWNER.name);
    await page.getByLabel('E-mail').fill(OWNER.email);
    await page.getByLabel('Password').fill(password);
    await page.locator('form').filter({ has: page.getByLabel('Organisation') }).evaluate((form) => {
      (form as HTMLFormElement).noValidate = true;
    });
    await page.getByRole('button', { name: 'Create account' }).click();
  };
  await fill('short');
  await expect(page.getByRole('alert')).toContainText('12 characters');
  await expect(page.getByLabel('Organisation')).toHaveValue(OWNER.organisation);
  await expect(page.getByLabel('Password')).toHaveValue('');
  await fill(OWNER.password);
  await expect(page).toHaveURL('/');
  await page.goto('/setup');
  await expect(page).toHaveURL('/');
});

test('another e-mail address is confirmed with the password', async ({ page, owner }) => {
  await page.goto('/settings/account');
  const profile = page.getByRole('region', { name: 'Profile' });
  const save = profile.getByRole('button', { name: 'Save' });
  await profile.getByLabel('Your name').fill('Mia Ash');
  await save.click();
  await expect(page.getByText('Saved.')).toBeVisible();

  for (const [password, says] of [
    ['', 'Enter your password to change the e-mail address'],
    ['not the password', 'This is not your current password'],
  ] as const) {
    await profile.getByLabel('E-mail').fill('mia@ash.example');
    await profile.getByLabel('Current password').fill(password);
    await save.click();
    await expect(page.getByRole('alert')).toContainText(says);
    await expect(profile).toContainText(says);
    await expect(page.getByRole('region', { name: 'Password' })).not.toContainText(says);
    await expect(profile.getByLabel('E-mail')).toHaveValue('mia@ash.example');
  }
  await profile.getByLabel('Current password').fill(owner.password);
  await save.click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await expect(profile.getByLabel('E-mail')).toHaveValue('mia@ash.example');
});

test('whoever uses the keyboard sees where they are', async ({ context, watch: _w, owner: _o }) => {
  for (const path of ['/', '/connect/microsoft', '/settings/account', '/settings/api-keys']) {
    // Past its last stop the focus goes to the browser's own controls, and stays there.
    const page = await context.newPage();
    await page.goto(path);
    const stops = await walk(page);
    expect(stops.length, `stops on ${path}`).toBeGreaterThan(8);
    expect(new Set(stops.map(({ name }) => name)).size, `stops on ${path}`).toBeGreaterThan(8);
    const hidden = stops.filter(({ outlined, uncovered }) => !outlined || !uncovered);
    expect(hidden, `stops on ${path} that cannot be seen`).toEqual([]);
  }
});

test('the colours are chosen for this browser and stay', async ({ page, owner: _ }) => {
  await page.goto('/settings/account');
  await page.getByRole('button', { name: 'Colours' }).click();
  await page.getByRole('button', { name: 'Dark' }).click();
  await expect(page).toHaveURL('/settings/account');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.goto('/');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

/** Goes through the page with Tab; every stop, and whether it can be seen. */
async function walk(page: Page): Promise<{ name: string; outlined: boolean; uncovered: boolean }[]> {
  const stops = [];
  for (let press = 0; press < 100; press += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body || focused.hasAttribute('data-seen')) {
        return undefined;
      }
      focused.setAttribute('data-seen', '');
      const { outlineStyle, outlineWidth } = getComputedStyle(focused);
      const { left, top, width, height } = focused.getClientRects()[0]!;
      const above = document.elementFromPoint(left + width / 2, top + height / 2);
      return {
        name: focused.outerHTML.slice(0, 200),
        outlined: outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2,
        uncovered: above !== null && (focused.contains(above) || above.contains(focused)),
      };
    });
    if (!stop) {
      break;
    }
    stops.push(stop);
  }
  return stops;
}
