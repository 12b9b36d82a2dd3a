// What an admin does so that a provider lets the hub in.

import { expect, test } from '../support/test.ts';
import { connectButton, leave, row, search } from '../support/people.ts';

test.use({ missingApps: ['github'] });

test('an app is set up with what its page shows, and connects', async ({
  page,
  hub,
  ground,
  owner: _,
  opensWindows,
}) => {
  await test.step('until then the provider is honestly not there', async () => {
    await search(page, 'GitHub');
    await expect(connectButton(page, 'GitHub')).toHaveCount(0);
    await row(page, 'GitHub').getByRole('link', { name: 'Set up GitHub' }).click();
    await expect(page.getByText('GitHub is not set up here yet.')).toBeVisible();
    await page.getByRole('link', { name: 'Set up GitHub' }).click();
  });

  await test.step('the page shows the exact address to register', async () => {
    await expect(page).toHaveURL('/settings/provider-apps/github');
    await expect(page.locator('.copyable-value')).toHaveText(`${hub.url}/oauth/callback/github`);
  });

  await test.step('the two values are entered, and the secret is never shown again', async () => {
    const { clientId, clientSecret } = ground.peers.lookAlikes.apps['github']!;
    await page.getByLabel('Client ID').fill(clientId);
    await page.getByLabel('Client secret').fill(clientSecret);
    await page.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByText('GitHub is set up.')).toBeVisible();
    expect(await page.content()).not.toContain(clientSecret);
  });

  await test.step('it connects', async () => {
    await search(page, 'GitHub');
    const picker = await leave(page, connectButton(page, 'GitHub'), opensWindows);
    await picker.getByRole('button', { name: /mia-alder/ }).click();
    await expect(row(page, 'GitHub mia-alder')).toContainText('Connected');
  });
});

test('an app from the environment says where it is changed', async ({ page, hub, owner: _ }) => {
  await page.goto('/settings/provider-apps');
  await page.getByRole('link', { name: 'Google' }).click();
  await expect(page.getByText('LINKWELL_PROVIDER_GOOGLE_CLIENT_ID')).toBeVisible();
  await expect(page.getByLabel('Client secret')).toHaveCount(0);
  await expect(page.locator('.copyable-value')).toHaveText([
    `${hub.url}/oauth/callback/google`,
  ]);
});

test('an app can be removed, and values that are missing are asked for', async ({ page, owner: _ }) => {
  await page.goto('/settings/provider-apps/shopify');
  await page.getByLabel('Client ID').fill('an-id');
  await page.getByLabel('Client secret').fill('a-secret');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Shopify is set up.')).toBeVisible();
  await page.getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText('Shopify is set up.')).toBeHidden();

  await page.locator('form').filter({ has: page.getByLabel('Client ID') }).evaluate((form) => {
    (form as HTMLFormElement).noValidate = true;
  });
  await page.getByLabel('Client ID').fill('an-id');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('Enter the client secret');
  await expect(page.getByLabel('Client ID')).toHaveValue('an-id');
});
