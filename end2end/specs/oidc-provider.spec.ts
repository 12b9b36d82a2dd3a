// The whole story against the certified server `oidc-provider`, which is as
// strict as servers get: PKCE, `iss`, one use per refresh token, and a second
// use ends the grant.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { connectButton, leave, open, row, search, signInAtOidc } from '../support/people.ts';
import { tokenReader } from '../support/host.ts';

const OIDC = 'Oidc Works maple@oidc.example';

test.beforeEach(async ({ page, owner: _, ground }) => {
  ground.peers.oidc.reset();
  await search(page, 'Oidc Works');
});

async function connect(page: Page, opensWindows: boolean): Promise<void> {
  const provider = await leave(page, connectButton(page, 'Oidc Works'), opensWindows);
  await signInAtOidc(provider, 'maple');
  await provider.getByRole('button', { name: 'Continue' }).click();
  await expect(row(page, OIDC)).toContainText('Connected');
}

test('consent names the account, and disconnecting ends the grant', async ({
  page,
  hub,
  ground,
  opensWindows,
}) => {
  const { oidc } = ground.peers;
  await connect(page, opensWindows);
  const { access_token } = await (await tokenReader(hub, 'oidc-provider'))();
  expect(await oidc.honours(access_token)).toBe(true);

  await open(page, OIDC);
  await page.getByRole('main').getByRole('link', { name: 'Disconnect' }).click();
  await page.getByRole('button', { name: 'Disconnect Oidc Works' }).click();
  await expect(page.getByText('The access was withdrawn at the provider too.')).toBeVisible();
  expect(oidc.grantsRevoked).toBe(1);
  expect(await oidc.honours(access_token)).toBe(false);
});

test('who says no reads what happened and what to do', async ({ page, opensWindows }) => {
  const provider = await leave(page, connectButton(page, 'Oidc Works'), opensWindows);
  await signInAtOidc(provider, 'maple');
  await provider.getByRole('link', { name: '[ Cancel ]' }).click();

  const alert = provider.getByRole('alert');
  await expect(alert).toContainText('The connection was not completed.');
  await expect(alert).toContainText('You chose Cancel at Oidc Works.');
  await expect(alert).toContainText('Nothing was changed.');
  await expect(provider.getByRole('link', { name: 'Try again' })).toBeVisible();
  await provider.getByRole('link', { name: 'What we ask for' }).click();
  await expect(provider.getByRole('heading', { name: 'Connect Oidc Works' })).toBeVisible();
  await expect(provider.getByRole('region', { name: 'We will', exact: true })).toContainText('See your e-mail address');
});

test('host applications that ask at once cause one renewal, and the grant lives on', { tag: '@once' }, async ({
  page,
  hub,
  ground,
  opensWindows,
}) => {
  const { oidc } = ground.peers;
  oidc.accessLifetimeS = 4;
  await connect(page, opensWindows);
  const read = await tokenReader(hub, 'oidc-provider');
  const first = await read();

  // Eight at a time, through three generations of tokens: a second use of one
  // refresh token would end the grant.
  const generations = new Set<string>();
  await expect
    .poll(
      async () => {
        const answers = await Promise.all(Array.from({ length: 8 }, read));
        answers.forEach(({ access_token }) => generations.add(access_token));
        return generations.size;
      },
      { timeout: 30_000 },
    )
    .toBeGreaterThanOrEqual(3);

  expect(generations).toContain(first.access_token);
  expect(oidc.grantsRevoked, 'no refresh token was used twice').toBe(0);
  expect(oidc.refreshes).toBe(generations.size - 1);
  expect(await oidc.honours((await read()).access_token)).toBe(true);
});
