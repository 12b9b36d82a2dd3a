// Every failure there is, caused for real: what is said, the one button, the same
// words for a host application, and how it goes away in every tab once it is mended.
// First what a provider can cause while a connection is kept, then what ends an
// attempt, then the hub's own sign-in.

import type { Page } from '@playwright/test';
import { expect, OWNER, signIn, test } from '../support/test.ts';
import { alive, approve, check, connectButton, connectSandbox, leave, open, row } from '../support/people.ts';
import { callApi, newKey } from '../support/host.ts';
import { change, lock } from '../support/database.ts';
import { HARBOUR, MAPLE, type Fault } from '../support/sandbox.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

const refuse = (error: string): Fault => ({ kind: { refuse: { error } }, at: ['api'] });

/** What breaks, the code it is, the status, what is said first, and the one button. */
const CODES: { fault: Fault; code: string; status: string; what: RegExp; button?: RegExp | string }[] = [
  {
    fault: refuse('session_expired'),
    code: 'SESSION_EXPIRED',
    status: 'Action needed',
    what: /^Sandbox Shop ended our session on /,
    button: /^Sign in to Sandbox Shop again/,
  },
  {
    fault: refuse('confirmation_required'),
    code: 'MFA_OR_CHALLENGE_REQUIRED',
    status: 'Action needed',
    what: /^Sandbox Shop wants an extra confirmation/,
    button: /^Continue at Sandbox Shop/,
  },
  {
    fault: refuse('suspicious_sign_in'),
    code: 'CHECKPOINT_OR_SUSPICIOUS_LOGIN',
    status: 'Action needed',
    what: /^Sandbox Shop stopped the sign-in to protect your account/,
    button: 'Confirm at Sandbox Shop',
  },
  {
    fault: refuse('session_incomplete'),
    code: 'PROFILE_COOKIE_MISSING',
    status: 'Action needed',
    what: /^The imported browser session is incomplete/,
    button: /^Sign in to Sandbox Shop here/,
  },
  {
    fault: refuse('page_changed'),
    code: 'CONNECTOR_AUTH_SELECTOR_CHANGED',
    status: 'Retrying',
    what: /^We no longer recognise the sign-in page of Sandbox Shop/,
  },
  {
    fault: { kind: 'cut_connection', at: ['api'] },
    code: 'NETWORK_OR_TIMEOUT',
    status: 'Retrying',
    what: /^Sandbox Shop did not answer/,
  },
  {
    fault: refuse('key_rejected'),
    code: 'CREDENTIALS_REJECTED',
    status: 'Action needed',
    what: /^Sandbox Shop rejected the key or password/,
    button: /Enter/,
  },
  {
    fault: refuse('insufficient_scope'),
    code: 'PERMISSION_MISSING',
    status: 'Action needed',
    what: /permission/,
    button: /^Add permission/,
  },
  {
    fault: refuse('approval_required'),
    code: 'ADMIN_APPROVAL_REQUIRED',
    status: 'Waiting for admin',
    what: /allow/,
    button: /^Send request to admin/,
  },
  {
    fault: { kind: { server_error: { status: 503 } }, at: ['api'] },
    code: 'PROVIDER_LIMITED_OR_DOWN',
    status: 'Retrying',
    what: /^Sandbox Shop is limiting or not working right now/,
  },
  {
    fault: { kind: { rate_limit: { retry_after: { seconds: 1200 } } }, at: ['api'] },
    code: 'PROVIDER_LIMITED_OR_DOWN',
    status: 'Retrying',
    what: /^Sandbox Shop asked us to slow down/,
  },
  {
    fault: refuse('account_frozen'),
    code: 'REFUSED_BY_PROVIDER',
    status: 'Action needed',
    what: /^Sandbox Shop refuses this account/,
    button: 'Open Sandbox Shop',
  },
  {
    fault: refuse('unheard_of'),
    code: 'HUB_INTERNAL',
    status: 'Retrying',
    what: /^Something went wrong on our side/,
  },
];

const prompt = (page: Page) => page.getByRole('region', { name: 'What to do' });
const status = (page: Page) => page.getByRole('main').locator('header .status');

test('every code a provider can cause says what, why and the one thing to do, and is withdrawn', async ({
  page,
  hub,
  owner: _,
  opensWindows,
}) => {
  test.slow();
  await connectSandbox(page, opensWindows);
  const key = newKey(hub, 'connections:read');
  const second = await page.context().newPage();
  await second.goto('/');
  await open(page, SHOP);
  const id = new URL(page.url()).pathname.split('/').pop()!;
  if (opensWindows) {
    await alive(page, 2);
  }
  /** The other tab hears of it; without scripts it is read again. */
  const elsewhere = async (word: string) => {
    if (!opensWindows) {
      await second.reload();
    }
    await expect(row(second, SHOP)).toContainText(word);
  };
  for (const { fault, code, status: word, what, button } of CODES) {
    await test.step(code, async () => {
      await hub.sandbox.breakWith(fault);
      await check(page);
      const shown = prompt(page);
      await expect(shown).toContainText(what);
      await expect(status(page)).toContainText(word);
      await elsewhere(word);
      const buttons = shown.locator('button, a.btn').filter({ visible: true });
      await expect(buttons).toHaveCount(button ? 1 : 0);
      if (button) {
        await expect(buttons).toContainText(button);
      }
      // A host application is told the same, in the same words.
      const told = await (await callApi(hub, key, `/connections/${id}`)).json();
      expect(told.code).toBe(code);
      for (const line of [told.prompt.what, told.prompt.why, told.prompt.effect].filter(Boolean)) {
        await expect(shown).toContainText(line);
      }

      await hub.sandbox.heal();
      // Nor before the time that the shop asked for.
      change(hub, "UPDATE connection SET failure = json_remove(failure, '$.retry_at')");
      await check(page);
      await expect(shown).toHaveCount(0);
      await elsewhere('Connected');
    });
  }
});

test('what a person or the operator mends is withdrawn when they have', async ({
  page,
  hub,
  owner: _,
  opensWindows,
}) => {
  await connectSandbox(page, opensWindows);
  const second = await page.context().newPage();
  await second.goto('/');
  await open(page, SHOP);
  const elsewhere = async (word: string) => {
    if (!opensWindows) {
      await second.reload();
    }
    await expect(row(second, SHOP)).toContainText(word);
  };

  await test.step('APP_CONFIG_INVALID', async () => {
    await hub.sandbox.breakWith({ kind: { refuse: { error: 'invalid_client' } }, at: ['refresh'] });
    change(hub, 'UPDATE credential SET expires_at = obtained_at, next_refresh_at = obtained_at');
    await check(page);
    await expect(prompt(page)).toContainText('The hub is not set up correctly for Sandbox Shop');
    await expect(status(page)).toContainText('Waiting for admin');
    await elsewhere('Waiting for admin');
    await hub.sandbox.heal();
    // Not asked again within a minute of a no.
    change(hub, "UPDATE refresh_attempt SET started_at = '2026-01-01T00:00:00+00:00'");
    await page.getByRole('main').getByRole('button', { name: 'Repair', exact: true }).click();
    await expect(prompt(page)).toHaveCount(0);
    await elsewhere('Connected');
  });

  await test.step('GRANT_REVOKED_OR_EXPIRED', async () => {
    await hub.sandbox.revokeAll();
    await check(page);
    await expect(prompt(page)).toContainText(/^Sandbox Shop stopped accepting our access on /);
    await expect(status(page)).toContainText('Action needed');
    await elsewhere('Action needed');
    const button = prompt(page).getByRole('button', { name: /^Reconnect Sandbox Shop/ });
    const shop = await leave(page, button, opensWindows);

    // ACCOUNT_OR_TARGET_MISMATCH: nothing is kept until they say which.
    await approve(shop, HARBOUR);
    await expect(shop.getByRole('alert')).toContainText(
      'You signed in as Harbour Books, but this connection belongs to Maple & Co.',
    );
    await shop.getByRole('button', { name: 'Use Maple & Co.' }).click();
    await approve(shop, MAPLE);
    await page.goto('/');
    await expect(row(page, SHOP)).toContainText('Connected');
    await expect(row(page, 'Sandbox Shop Harbour Books')).toHaveCount(0);
    await elsewhere('Connected');
  });
});

test('what ends an attempt says so, and the next one works', async ({ page, context, owner: _, opensWindows }) => {
  const callbacks: string[] = [];
  context.on('request', (request) => {
    if (request.url().includes('/oauth/callback/')) {
      callbacks.push(request.url());
    }
  });
  // CONSENT_DENIED_OR_ABANDONED
  await page.goto('/');
  let shop = await leave(page, connectButton(page, 'Sandbox Shop'), opensWindows);
  await shop.getByRole('button', { name: 'Cancel' }).click();
  const said = shop.getByRole('alert');
  await expect(said).toContainText('The connection was not completed.');
  await expect(said).toContainText('You chose Cancel at Sandbox Shop.');
  await expect(shop.getByRole('link', { name: 'Try again' })).toBeVisible();
  if (opensWindows) {
    await shop.close();
  }

  await page.goto('/');
  shop = await leave(page, connectButton(page, 'Sandbox Shop'), opensWindows);
  await approve(shop);
  await expect(row(page, SHOP)).toContainText('Connected');

  // FLOW_EXPIRED_OR_INVALID: the same answer once more.
  const again = await context.newPage();
  await again.goto(callbacks.at(-1)!);
  await expect(again.getByText('This attempt cannot be used any more.')).toBeVisible();
  await page.goto('/');
  await expect(row(page, SHOP)).toHaveCount(1);
  await expect(row(page, SHOP)).toContainText('Connected');
});

test('AUTH_001: a hub that cannot answer says so, and keeps what was typed', { tag: '@once' }, async ({
  page,
  hub,
  watch,
  owner,
  context,
}) => {
  test.setTimeout(120_000);
  watch.allow(/503/);
  hub.allow(/nobody could be signed in|could not be done|database is locked|could not be written/);
  await context.clearCookies();
  await page.goto('/sign-in');
  const unlock = await lock(hub);
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password').fill(owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click({ noWaitAfter: true });
  await expect(page.getByText('Signing in is taking too long.')).toBeVisible({ timeout: 60_000 });
  await expect(page.getByLabel('E-mail')).toHaveValue(owner.email);
  await expect(page.getByLabel('Password')).toHaveValue('');
  await unlock();
  await page.getByLabel('Password').fill(owner.password);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page).toHaveURL('/');
});

test('AUTH_002: who was signed out is told, and goes on where they were', async ({ page, browser, hub, owner }) => {
  await page.goto('/settings/notices');
  const elsewhere = await browser.newContext({ baseURL: hub.url });
  await signIn(hub, elsewhere);
  const answer = await elsewhere.request.post('/api/sign_out_everywhere', { headers: { origin: hub.url } });
  expect(answer.ok()).toBe(true);
  await elsewhere.close();
  await page.reload();
  await expect(page.getByRole('alert')).toContainText('You were signed out.');
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password').fill(owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL('/settings/notices');
});

test('AUTH_003: a browser that keeps no cookies is told to take another', async ({ page, context, hub, owner }) => {
  await context.clearCookies();
  await page.goto('/sign-in');
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password').fill(owner.password);
  // As where they are off: the one that the form's page set does not come back.
  await context.clearCookies();
  await page.getByRole('button', { name: 'Sign in' }).click();
  const said = page.getByRole('alert');
  await expect(said).toContainText('This browser cannot finish the sign-in.');
  await expect(said).toContainText(`${hub.url}/`);
});

test('AUTH_004: a page for others names the role it takes', async ({ page, hub, watch, owner: _, context }) => {
  watch.allow(/403/);
  const kim = { email: 'kim@alder.example', password: 'correct horse battery' };
  hub.command(['user', 'create', '--tenant', OWNER.organisation, '--email', kim.email, '--name', 'Kim'], kim.password);
  await context.clearCookies();
  await page.goto('/settings/api-keys');
  await page.getByLabel('E-mail').fill(kim.email);
  await page.getByLabel('Password').fill(kim.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your role does not allow this.');
  await expect(page.getByText('It needs the role of an admin or more.')).toBeVisible();
});

test('no code is without its story here', { tag: '@once' }, async ({ hub }) => {
  const described = await (await fetch(`${hub.url}/v1/openapi.json`)).text();
  const lists = described.matchAll(/"enum":(\[[^\]]*"AUTH_001"[^\]]*\])/g);
  const all = JSON.parse([...lists][0]![1]!.replace(',null', '')) as string[];
  const told = [
    ...CODES.map(({ code }) => code),
    ...['GRANT_REVOKED_OR_EXPIRED', 'APP_CONFIG_INVALID', 'ACCOUNT_OR_TARGET_MISMATCH'],
    ...['CONSENT_DENIED_OR_ABANDONED', 'FLOW_EXPIRED_OR_INVALID'],
    ...['AUTH_001', 'AUTH_002', 'AUTH_003', 'AUTH_004'],
  ];
  expect([...new Set(told)].sort()).toEqual([...all].sort());
});
