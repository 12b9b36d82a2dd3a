// The first ten minutes of a newcomer, in every browser, with and without
// JavaScript, on a desk and on a phone.

import { expect, OWNER, test } from '../support/test.ts';
import { approve, connectButton, leave, open, row } from '../support/people.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

test('a newcomer sets up, connects the sandbox shop and disconnects it', async ({
  page,
  hub,
  opensWindows,
}) => {
  await test.step('the first visit asks for the first account', async () => {
    await page.goto('/');
    await expect(page).toHaveURL('/setup');
    await page.getByLabel('Organisation').fill(OWNER.organisation);
    await page.getByLabel('Your name').fill(OWNER.name);
    await page.getByLabel('E-mail').fill(OWNER.email);
    await page.getByLabel('Password').fill(OWNER.password);
    await page.getByRole('button', { name: 'Create account' }).click();
    await expect(page).toHaveURL('/');
    await expect(page.getByText('Nothing connected yet')).toBeVisible();
  });

  await test.step('Connect leads to the shop and back to the row', async () => {
    const shop = await leave(page, connectButton(page, 'Sandbox Shop'), opensWindows);
    await approve(shop);
    if (opensWindows) {
      await expect.poll(() => shop.isClosed(), { message: 'the window closes itself' }).toBe(true);
    }
    await expect(row(page, SHOP)).toContainText('Connected');
    await expect(page.getByText('Nothing connected yet')).toBeHidden();
  });

  await test.step('its page says what it may do', async () => {
    await open(page, SHOP);
    await expect(page.getByText("See the shop's name and settings")).toBeVisible();
    await expect(page.getByText('See orders')).toBeVisible();
    await expect(page.getByRole('region', { name: 'History' })).toContainText('Connected');
  });

  await test.step('disconnecting names the consequences and withdraws the access', async () => {
    expect(await hub.sandbox.grants()).toBe(1);
    await page.getByRole('main').getByRole('link', { name: 'Disconnect' }).click();
    await expect(page.getByText('The tokens stop working there too.')).toBeVisible();
    await page.getByRole('button', { name: 'Disconnect Sandbox Shop' }).click();
    await expect(page.getByText('The access was withdrawn at the provider too.')).toBeVisible();
    expect(await hub.sandbox.grants()).toBe(0);
  });
});
