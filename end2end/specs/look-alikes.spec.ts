// The shipped entries of the catalog, unchanged, against look-alikes of the
// providers they are for, at the providers' own addresses. Stripe Connect is
// not among them: no package plays it.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { afterTest, check, leave, open, row } from '../support/people.ts';
import { tokenReader } from '../support/host.ts';
import { TWILIO } from '../peers/look-alikes.ts';

const WITHDRAWN = 'The access was withdrawn at the provider too.';
const NOT_CONFIRMED = 'The provider did not confirm it, so remove Linkwell there too.';
const BY_HAND = 'One thing is left for you to do at the provider.';

interface Played {
  id: string;
  provider: string;
  /** Where the person signs in. */
  at: string;
  /** The button of the account there. */
  pick: RegExp;
  account: string;
  /** What is asked before, and the answer. */
  asked?: [question: string, answer: string];
  /** What the hub says afterwards. */
  ended: string;
  tag?: string;
}

const MIA = { pick: /mia@alder\.example/, account: 'mia@alder.example' };

const PLAYED: Played[] = [
  { id: 'google-gmail', provider: 'Gmail', at: 'https://accounts.google.com', ...MIA, ended: WITHDRAWN },
  // Another product of the same provider app.
  { id: 'google-calendar', provider: 'Google Calendar', at: 'https://accounts.google.com', ...MIA, ended: WITHDRAWN, tag: '@once' },
  {
    id: 'github',
    provider: 'GitHub',
    at: 'https://github.com',
    pick: /mia-alder/,
    account: 'mia-alder',
    // `emulate` has no such call, and what is not found counts as gone.
    ended: WITHDRAWN,
    tag: '@once',
  },
  {
    id: 'slack',
    provider: 'Slack',
    at: 'https://slack.com',
    pick: /mia/,
    account: 'Alder & Ash',
    // `emulate` has no auth.revoke.
    ended: NOT_CONFIRMED,
    tag: '@once',
  },
  {
    id: 'microsoft',
    provider: 'Microsoft 365',
    at: 'https://login.microsoftonline.com',
    ...MIA,
    // Microsoft has no way to do it from here.
    ended: BY_HAND,
    tag: '@once',
  },
  {
    id: 'okta',
    provider: 'Okta',
    at: 'https://alder-ash.okta.com',
    ...MIA,
    // As people copy it.
    asked: ['Okta address', 'https://alder-ash.okta.com'],
    ended: WITHDRAWN,
    tag: '@once',
  },
  { id: 'linear', provider: 'Linear', at: 'https://linear.app', pick: MIA.pick, account: 'Alder & Ash', ended: WITHDRAWN, tag: '@once' },
];

for (const { id, provider, at, pick, account, asked, ended, tag = [] } of PLAYED) {
  test(`${provider}: connected, named after the account, lent, disconnected`, { tag }, async ({
    page,
    hub,
    owner: _,
    opensWindows,
  }) => {
    const name = `${provider} ${account}`;
    const picker = await leaveFor(page, { id, provider, asked }, opensWindows);
    expect(new URL(picker.url()).origin).toBe(at);
    await picker.getByRole('button', { name: pick }).click();
    await expect(row(page, name)).toContainText('Connected');

    const lent = await (await tokenReader(hub, id))();
    expect(lent.account.label).toBe(account);

    await open(page, name);
    await expect(page.getByRole('region', { name: 'What it may do' })).not.toContainText('Missing');
    await disconnect(page, provider);
    await expect(page.getByText(ended)).toBeVisible();
  });
}

interface Keys {
  id: string;
  provider: string;
  account: string;
  /** By the labels of the form. */
  fields: Record<string, string>;
  /** What is mistyped. */
  wrong: Record<string, string>;
}

const KEYS: Keys[] = [
  {
    id: 'stripe',
    provider: 'Stripe (API key)',
    account: 'Stripe.com',
    fields: { 'Restricted API key': 'sk_test_AlderAndAsh' },
    // It knows no keys, only that live ones are not for it.
    wrong: { 'Restricted API key': 'rk_live_AlderAndAsh' },
  },
  {
    id: 'twilio',
    provider: 'Twilio',
    account: TWILIO.accountSid,
    fields: {
      'Account SID': TWILIO.accountSid,
      'API key SID': TWILIO.keySid,
      'API key secret': TWILIO.keySecret,
    },
    wrong: { 'API key secret': [...TWILIO.keySecret].reverse().join('') },
  },
];

for (const { id, provider, account, fields, wrong } of KEYS) {
  test(`${provider}: a wrong key is refused, a good one kept and used`, { tag: '@once' }, async ({ page, owner: _ }) => {
    const send = async (values: Record<string, string>) => {
      for (const [label, value] of Object.entries(values)) {
        await page.getByLabel(label, { exact: true }).fill(value);
      }
      await page.getByRole('button', { name: 'Test and connect' }).click();
    };
    await page.goto(`/connect/${id}`);
    await page.getByRole('button', { name: 'Show as form' }).click();
    await send({ ...fields, ...wrong });
    await expect(page.getByRole('alert')).toContainText(`${provider} rejected the key or password`);
    await page.goto('/');
    await expect(row(page, `${provider} ${account}`)).toHaveCount(0);

    await page.goto(`/connect/${id}`);
    await send(fields);
    await afterTest(page, provider);
    const name = `${provider} ${account}`;
    await expect(row(page, name)).toContainText('Connected');
    await open(page, name);
    await check(page);
    await expect(page.getByRole('region', { name: 'History' })).toContainText('Checked: it works');
    await disconnect(page, provider);
    // Whoever made a key deletes it.
    await expect(page.getByText(BY_HAND)).toBeVisible();
  });
}

test('Twilio takes the auth token in place of a key', { tag: '@once' }, async ({ page, owner: _ }) => {
  await page.goto('/connect/twilio');
  await page.getByRole('button', { name: 'Show as form' }).click();
  await page.getByLabel('Account SID', { exact: true }).fill(TWILIO.accountSid);
  await page.getByLabel('API key SID', { exact: true }).fill(TWILIO.accountSid);
  await page.getByLabel('API key secret', { exact: true }).fill(TWILIO.authToken);
  await page.getByRole('button', { name: 'Test and connect' }).click();
  await afterTest(page, 'Twilio');
  await expect(row(page, `Twilio ${TWILIO.accountSid}`)).toContainText('Connected');
});

test('two accounts of one provider are two connections', async ({ page, owner: _, opensWindows }) => {
  for (const account of ['mia@alder.example', 'jonas@alder.example']) {
    const picker = await leaveFor(page, { id: 'google-gmail', provider: 'Gmail' }, opensWindows);
    await picker.getByRole('button', { name: new RegExp(account) }).click();
    await expect(row(page, `Gmail ${account}`)).toContainText('Connected');
  }
  await expect(row(page, 'Gmail mia@alder.example')).toContainText('Connected');
});

test('no other address leads anywhere', async ({ page }) => {
  for (const address of ['https://example.com/', 'http://alder-ash.okta.com/', 'https://github.com:8443/']) {
    // An empty answer leads to an error page of the browser's own.
    const [answer] = await Promise.all([page.waitForResponse(address), page.goto(address).catch(() => null)]);
    expect(answer.status(), address).toBe(403);
  }
});

/** From the page of a provider to its own pages. */
async function leaveFor(
  page: Page,
  { id, provider, asked }: Pick<Played, 'id' | 'provider' | 'asked'>,
  opensWindows: boolean,
): Promise<Page> {
  await page.goto(`/connect/${id}`);
  if (asked) {
    await page.getByLabel(asked[0]).fill(asked[1]);
  }
  return leave(page, page.getByRole('button', { name: `Connect ${provider}` }), opensWindows);
}

async function disconnect(page: Page, provider: string): Promise<void> {
  await page.getByRole('main').getByRole('link', { name: 'Disconnect' }).click();
  await page.getByRole('button', { name: `Disconnect ${provider}` }).click();
}
