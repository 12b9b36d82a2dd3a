// What can be done about a connection: verify, repair, sign in again, clear.

import { expect, test } from '../support/test.ts';
import { approve, check, connectSandbox, leave, open, row } from '../support/people.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

test.beforeEach(async ({ page, owner: _, opensWindows }) => {
  await connectSandbox(page, opensWindows);
});

test('one page tells how each connection is kept, and verifies and repairs without a person', async ({ page, hub }) => {
  await page.goto('/settings/account');
  await page.getByRole('link', { name: 'Connection health' }).click();
  const card = page.getByRole('region', { name: SHOP });
  await expect(card).toContainText('Connected');
  await expect(card).toContainText('Yes, it renews itself');
  await expect(card).toContainText(/Access, \d+ bytes, ends in /);
  await card.getByRole('button', { name: 'Verify' }).click();
  await expect(page.getByText('Checked just now: it works.')).toBeVisible();

  await hub.sandbox.breakWith({ kind: { refuse: { error: 'approval_required' } }, at: ['api'] });
  await check(page);
  await expect(page.getByRole('region', { name: 'What to do' })).toBeVisible();
  await page.goto('/settings/connections');
  await expect(card).toContainText('No, an admin has to act');
  await card.getByRole('button', { name: 'Repair' }).click();
  await expect(page.getByText('We tried what needs nobody')).toBeVisible();

  await hub.sandbox.heal();
  await page.getByRole('button', { name: 'Repair' }).click();
  await expect(page.getByText('It works. We read it again')).toBeVisible();
  await expect(page.getByRole('region', { name: 'What to do' })).toHaveCount(0);
});

test('clearing is offered after repairing, and signing in again brings everything back', async ({
  page,
  hub,
  opensWindows,
}) => {
  await open(page, SHOP);
  const address = page.url();
  await page.getByLabel('Name').fill('Till');
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(page.getByRole('button', { name: 'Repair instead' })).toBeVisible();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await expect(page.getByText('Cleared. What was stored is destroyed.')).toBeVisible();
  await expect(page.getByText(/^What we stored of Till was cleared on/)).toBeVisible();
  expect(await hub.sandbox.grants(), 'nothing is ended at the provider').toBe(1);

  await page.goto('/');
  const again = row(page, 'Sandbox Shop Till').getByRole('button', { name: /^Connect Sandbox Shop again/ });
  const shop = await leave(page, again, opensWindows);
  await approve(shop);
  if (opensWindows) {
    await expect.poll(() => shop.isClosed()).toBe(true);
  }
  await expect(row(page, 'Sandbox Shop Till')).toContainText('Connected');
  await page.goto(address);
  await expect(page.getByText('What was stored was cleared')).toBeVisible();
});
