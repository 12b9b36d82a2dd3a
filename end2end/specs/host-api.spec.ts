// An API key, from its only appearance on a page to its end.

import { expect, test } from '../support/test.ts';
import { connectSandbox } from '../support/people.ts';
import { callApi } from '../support/host.ts';

test.beforeEach(async ({ page, owner: _, opensWindows }) => {
  await connectSandbox(page, opensWindows);
  await page.goto('/settings/api-keys');
});

test('a key is shown once, borrows a token, and ends when it is revoked', async ({ page, hub }) => {
  await page.getByLabel('Name').fill('Automations');
  await page.getByLabel('See connections and how they are').check();
  await page.getByLabel('Borrow working tokens').check();
  await page.getByRole('button', { name: 'Create key' }).click();
  await expect(page.getByRole('heading', { name: 'Copy this API key now' })).toBeVisible();
  const key = await page.locator('.copyable-value').innerText();

  const list = await (await callApi(hub, key, '/connections')).json();
  expect(list.data).toMatchObject([{ provider: 'sandbox', status: 'connected' }]);
  const token = `/connections/${list.data[0].id}/token`;
  const lent = await callApi(hub, key, token);
  expect(lent.status).toBe(200);
  expect(lent.headers.get('cache-control')).toBe('no-store');
  expect(await lent.json()).toMatchObject({
    token_type: 'Bearer',
    scopes: ['shop.read', 'orders.read'],
    account: { id: 'acc_maple', label: 'Maple & Co.' },
  });
  expect((await callApi(hub, key, '/catalog')).status, 'what it may not do').toBe(403);

  await page.getByRole('link', { name: 'I have copied it' }).click();
  await expect(page.getByText(key)).toHaveCount(0);
  await page.getByRole('link', { name: 'Revoke Automations' }).click();
  await expect(page.getByRole('heading', { name: 'Revoke Automations?' })).toBeVisible();
  await page.getByRole('link', { name: 'Keep it' }).click();
  expect((await callApi(hub, key, token)).status, 'nothing has happened yet').toBe(200);
  await page.getByRole('link', { name: 'Revoke Automations' }).click();
  await page.getByRole('button', { name: 'Revoke key' }).click();
  await expect(page.getByText('Key revoked.')).toBeVisible();
  const refused = await callApi(hub, key, token);
  expect(refused.status).toBe(401);
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
});

test('a key that may do nothing is not made', async ({ page }) => {
  await page.getByLabel('Name').fill('Automations');
  await page.getByRole('button', { name: 'Create key' }).click();
  await expect(page.getByRole('alert')).toContainText('Choose at least one thing the key may do');
  await expect(page.getByLabel('Name')).toHaveValue('Automations');
});

test('a token that cannot be lent comes with the words the hub shows', { tag: '@once' }, async ({ page, hub }) => {
  await page.goto('/');
  await hub.sandbox.revokeAll();
  await page.getByRole('link', { name: 'Sandbox Shop Maple & Co.' }).click();
  await page.getByRole('main').getByRole('button', { name: 'Check now' }).first().click();
  const what = page.getByText(/^Sandbox Shop stopped accepting our access on/).first();
  await expect(what).toBeVisible();

  const key = hub.command([
    ...['api-key', 'create', '--tenant', 'Alder & Ash Ltd', '--name', 'host'],
    ...['--scopes', 'tokens:read'],
  ]);
  const id = new URL(page.url()).pathname.split('/').at(-1);
  const answer = await callApi(hub, key, `/connections/${id}/token`);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  const problem = await answer.json();
  expect(problem.code).toBe('GRANT_REVOKED_OR_EXPIRED');
  expect(problem.prompt.what).toBe(await what.innerText());
});
