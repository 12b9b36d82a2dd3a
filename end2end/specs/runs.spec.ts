// What automations do: an automation that cannot go on waits where people see
// it, says why, and goes on by itself once the account is connected again.

import { expect, test } from '../support/test.ts';
import { approve, check, connectSandbox, leave, open } from '../support/people.ts';
import { callApi } from '../support/host.ts';
import type { Hub } from '../support/hub.ts';

function newKey(hub: Hub): string {
  return hub.command([
    ...['api-key', 'create', '--tenant', 'Alder & Ash Ltd', '--name', 'automations'],
    ...['--scopes', 'connections:read,tokens:read'],
  ]);
}

async function begin(hub: Hub, key: string, more: object = {}): Promise<any> {
  const { data } = await (await callApi(hub, key, '/connections')).json();
  const run = { connection: data[0].id, action: 'orders.update', ...more };
  const answer = await callApi(hub, key, '/runs', run);
  expect(answer.status).toBe(201);
  return answer.json();
}

test('what waits is seen, says why, and goes on by itself', async ({ page, hub, owner: _, opensWindows }) => {
  await page.goto('/runs');
  await expect(page.getByText('No runs yet')).toBeVisible();
  await connectSandbox(page, opensWindows);
  const key = newKey(hub);
  const done = await begin(hub, key, { action: 'stock.count' });
  expect(done).toMatchObject({ status: 'allowed', token: { token_type: 'Bearer' } });
  await callApi(hub, key, `/runs/${done.id}/finish`, { status: 'succeeded' });

  await hub.sandbox.revokeAll();
  await open(page, 'Sandbox Shop Maple & Co.');
  await check(page);
  await expect(page.getByText('Action needed').first()).toBeVisible();
  const runs: any[] = [];
  for (const number of [1, 2, 3]) {
    runs.push(await begin(hub, key, { correlation_id: `order-${number}` }));
  }
  expect(runs[0]).toMatchObject({ status: 'paused', code: 'GRANT_REVOKED_OR_EXPIRED' });
  expect(runs[0].token).toBeUndefined();

  await page.goto('/');
  await expect(page.getByText('3 runs are paused. Nothing was lost.')).toBeVisible();
  await open(page, 'Sandbox Shop Maple & Co.');
  await expect(page.getByText('3 runs are paused. Nothing was lost.').first()).toBeVisible();
  await page.getByRole('link', { name: 'See its runs' }).click();
  await expect(page.getByRole('heading', { name: 'Runs', level: 1 })).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: 'Paused' })).toHaveCount(3);
  await page.getByLabel('Status').selectOption('Done');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await expect(page.getByText('stock.count')).toBeVisible();
  await expect(page.getByText('order-1')).toHaveCount(0);

  await page.goto('/');
  await open(page, 'Sandbox Shop Maple & Co.');
  await page.getByRole('link', { name: 'Sign in again' }).click();
  const button = page.getByRole('button', { name: /^Reconnect Sandbox Shop/ });
  const shop = await leave(page, button, opensWindows);
  await approve(shop);
  const status = async () => (await (await callApi(hub, key, `/runs/${runs[2].id}`)).json()).status;
  await expect.poll(status).toBe('resumed');
  const events = await (await callApi(hub, key, '/events?limit=1000')).json();
  const resumed = events.data.filter((one: any) => one.type === 'run.resumed');
  expect(resumed.map((one: any) => one.data.correlation_id)).toEqual(['order-1', 'order-2', 'order-3']);
  // Signing in leads back to the row by itself.
  await expect(page).toHaveURL(/#c-/);
  await page.goto('/runs?status=resumed');
  await expect(page.getByText('May go on').nth(1)).toBeVisible();
});

test('an admin sees which rule stopped what, and switches it off', async ({
  page,
  hub,
  owner: _,
  opensWindows,
}) => {
  await connectSandbox(page, opensWindows);
  const key = newKey(hub);
  const run = await begin(hub, key, { scopes: ['orders.write'] });
  expect(run).toMatchObject({ status: 'paused', policy: 'no_write_if_scope_missing' });
  await page.goto('/settings/policies');
  const rule = page.getByRole('listitem').filter({ hasText: 'No change at a provider without the permission' }).first();
  await expect(rule).toContainText('1 run waits because of it');
  await rule.getByRole('button', { name: /^Switch off/ }).click();
  await expect(page.getByText('Saved. What waits is looked at again now.')).toBeVisible();
  await expect(rule).toContainText('Off');
  const status = async () => (await (await callApi(hub, key, `/runs/${run.id}`)).json()).status;
  await expect.poll(status).toBe('resumed');
  await rule.getByRole('button', { name: /^Switch on/ }).click();
  await expect(rule).toContainText('On');
});
