import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { approve, connectButton, connectSandbox, leave, open, row } from '../support/people.ts';
import { HARBOUR } from '../support/sandbox.ts';

const TO = join(import.meta.dirname, '../../docs/screenshots');

test.use({ viewport: { width: 1120, height: 840 }, deviceScaleFactor: 2, opensWindows: true });

async function take(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.screenshot({ path: join(TO, `${name}.png`), animations: 'disabled' });
}

test('hub, provider page and connection page', async ({ page, hub, owner: _ }) => {
  await page.goto('/connect/google-gmail');
  await take(page, 'provider');

  await connectSandbox(page, true);
  await page.goto('/');
  const another = page.getByRole('button', { name: /^Add another Sandbox Shop/ });
  const shop = await leave(page, another, true);
  await approve(shop, HARBOUR);
  await expect.poll(() => shop.isClosed()).toBe(true);
  await page.goto('/');
  for (const [provider, pick] of [['GitHub', /mia-alder/], ['Slack', /mia/], ['Gmail', /^m mia@/i]] as const) {
    const picker = await leave(page, connectButton(page, provider), true);
    await picker.getByRole('button', { name: pick }).first().click();
    await expect.poll(() => picker.isClosed()).toBe(true);
    await page.goto('/');
  }
  await open(page, 'Sandbox Shop Maple & Co.');
  await take(page, 'connection');

  await hub.sandbox.revokeAll();
  await page.goto('/');
  await open(page, 'Sandbox Shop Harbour Books');
  await page.getByRole('main').getByRole('button', { name: 'Check now' }).first().click();
  await expect(page.getByRole('region', { name: 'What to do' })).toBeVisible();
  await page.goto('/');
  await expect(row(page, 'Sandbox Shop Harbour Books')).toContainText('Action needed');
  await take(page, 'hub');
});
