// How connections are kept while nobody looks: what heals by itself, what a
// person lets rest, and what ends soon.

import { randomUUID } from 'node:crypto';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { approve, connectSandbox, leave, open, row } from '../support/people.ts';
import { callApi, newKey } from '../support/host.ts';
import { MAPLE } from '../support/sandbox.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

/** The status that the page of a connection shows under its name. */
const status = (page: Page) => page.getByRole('main').locator('header .status');
/** The card that says what to do. */
const prompt = (page: Page) => page.getByRole('region', { name: 'What to do' });
/** Everything else a person can do with it. */
const manage = (page: Page) => page.getByRole('region', { name: 'Manage' });

/** Waits for a status, which comes by itself where scripts run. */
async function becomes(page: Page, word: string, isLive: boolean): Promise<void> {
  const patience = { timeout: 75_000, intervals: [2_000] };
  if (isLive) {
    await expect(status(page)).toContainText(word, patience);
    return;
  }
  await expect(async () => {
    await page.reload();
    await expect(status(page)).toContainText(word, { timeout: 500 });
  }).toPass(patience);
}

test('what heals by itself needs nobody, and says when it works', async ({ page, owner: _, opensWindows, hub }) => {
  test.setTimeout(120_000);
  await connectSandbox(page, opensWindows);
  await open(page, SHOP);
  await hub.sandbox.breakWith({ kind: { server_error: { status: 503 } }, at: ['api'] });
  await page.getByRole('button', { name: 'Check now' }).click();
  await becomes(page, 'Retrying', opensWindows);
  await expect(prompt(page)).toContainText('No action needed.');
  await expect(prompt(page).getByRole('button')).toHaveCount(0);
  await page.goto('/');
  await expect(row(page, SHOP)).toContainText('Retrying');
  await open(page, SHOP);
  await hub.sandbox.heal();
  await becomes(page, 'Connected', opensWindows);
  await expect(prompt(page)).toBeHidden();
  await expect(page.getByRole('region', { name: 'History' }), 'a hiccup is no story').not.toContainText('trying again');
});

test('a connection rests until it is resumed', { tag: '@phone' }, async ({ page, owner: _, opensWindows, hub }) => {
  await connectSandbox(page, opensWindows);
  await open(page, SHOP);
  const id = page.url().split('/').pop()!;
  await manage(page).getByRole('button', { name: 'Pause' }).click();
  await expect(page.getByText('Nothing uses it until you resume it.').first()).toBeVisible();
  await expect(status(page)).toHaveText('Paused');
  const lent = await callApi(hub, newKey(hub, 'tokens:read'), `/connections/${id}/token`);
  expect(lent.status).toBe(409);
  expect(await lent.json()).toMatchObject({ type: 'urn:linkwell:problem:paused' });

  await page.goto('/');
  await expect(row(page, SHOP)).toContainText('Paused');
  await row(page, SHOP).getByRole('link', { name: 'Resume' }).click();
  await manage(page).getByRole('button', { name: 'Resume' }).click();
  await expect(status(page)).toHaveText('Connected');
  await expect(prompt(page)).toBeHidden();
  const history = page.getByRole('region', { name: 'History' });
  await expect(history).toContainText('Resumed');
  await expect(history).toContainText('Paused');
});

test('what ends soon is said before, and withdrawn once it is approved again', async ({
  page,
  owner: _,
  opensWindows,
  hub,
}) => {
  const answer = await callApi(hub, newKey(hub, 'connections:write'), '/connections', {
    provider: 'sandbox',
    account: { id: MAPLE.id, label: MAPLE.name },
    credential: {
      access_token: randomUUID(),
      expires_at: new Date(Date.now() + 5 * 86_400_000).toISOString(),
    },
  });
  expect(answer.status).toBe(201);
  await page.goto('/');
  await expect(row(page, SHOP)).toContainText('Our access to Sandbox Shop ends on');
  await open(page, SHOP);
  await expect(prompt(page)).toContainText('no way to renew it');
  await expect(page.getByRole('region', { name: 'How it is kept' })).toContainText(
    /Has to be approved again\s*in [45] days/,
  );
  const shop = await leave(page, prompt(page).getByRole('button', { name: 'Reconnect Sandbox Shop' }), opensWindows);
  await approve(shop);
  await page.goto('/');
  await expect(row(page, SHOP)).toContainText('Connected');
  await open(page, SHOP);
  await expect(prompt(page)).toBeHidden();
});
