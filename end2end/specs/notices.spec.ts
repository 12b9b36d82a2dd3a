// Being told: the bell, mails in a real mailbox, and repairing from one of them,
// on whatever device it is read.

import type { Browser, Page } from '@playwright/test';
import { Letters, type Letter } from '../peers/letters.ts';
import { change } from '../support/database.ts';
import { Hub } from '../support/hub.ts';
import { alive, approve, atProvider, check, connectSandbox, open } from '../support/people.ts';
import { HARBOUR, MAPLE } from '../support/sandbox.ts';
import { expect, OWNER, test as base } from '../support/test.ts';

/** Mails are looked for every fifteen seconds. */
const MAIL = { timeout: 30_000 };

const test = base.extend<{ take: (what: string) => Promise<Letter> }, { letters: Letters }>({
  letters: [
    async ({ ground }, use) => {
      const letters = await Letters.start(ground.authority);
      await use(letters);
      await letters.close();
    },
    { scope: 'worker' },
  ],

  hub: async ({ ground, letters }, use, testInfo) => {
    const hub = await Hub.start({ ...ground.site, mail: letters.url }, {});
    await use(hub);
    await hub.discard();
    if (testInfo.status !== testInfo.expectedStatus) {
      await testInfo.attach('hub.log', { body: hub.log, contentType: 'text/plain' });
    }
    expect(hub.errors, 'the hub logs no error').toEqual([]);
  },

  // The next letter with these words in its subject, that came in this test.
  take: async ({ letters }, use) => {
    let seen = (await letters.all()).length;
    await use(async (what) => {
      await expect
        .poll(async () => (await letters.all()).slice(seen).map((letter) => letter.subject), MAIL)
        .toContainEqual(expect.stringContaining(what));
      const all = await letters.all();
      const at = all.findIndex((letter, nth) => nth >= seen && letter.subject.includes(what));
      seen = at + 1;
      return all[at]!;
    });
  },
});

test.slow();

/** A quarter of an hour has passed for every mail. */
const aQuarterLater = (hub: Hub) => change(hub, 'UPDATE mail SET due_at = created_at');

const bell = (page: Page, name: string | RegExp) => page.getByRole('link', { name, exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

/** The one link of a letter that leads to a repair. */
function linkIn(letter: Letter): string {
  const [link] = letter.text.match(/http:\S+\/link\/\S+/) ?? [];
  expect(link, letter.text).toBeTruthy();
  expect(letter.html).toContain(link!);
  return link!;
}

/** Somebody who is signed in nowhere, on their phone. */
async function phone(browser: Browser, javaScriptEnabled: boolean): Promise<Page> {
  const viewport = { width: 375, height: 700 };
  return (await browser.newContext({ viewport, hasTouch: true, javaScriptEnabled })).newPage();
}

/** The access is withdrawn at the provider, and a check finds out. */
async function revoked(page: Page, hub: Hub): Promise<void> {
  await page.goto('/');
  await open(page, `Sandbox Shop ${MAPLE.name}`);
  await hub.sandbox.revokeAll();
  await check(page);
  await expect(page.getByText('Sandbox Shop stopped accepting our access').first()).toBeVisible();
}

test('what breaks is told, repaired from the mail on a phone, and withdrawn everywhere', async ({
  page,
  hub,
  owner,
  take,
  browser,
  context,
  opensWindows,
  javaScriptEnabled,
  withoutScripts,
}) => {
  const scripts = javaScriptEnabled !== false && !withoutScripts;
  await connectSandbox(page, opensWindows);
  await expect(bell(page, 'Notices')).toBeVisible();
  await revoked(page, hub);
  if (!scripts) await page.reload();
  await expect(bell(page, 'Notices, 1 new')).toBeVisible();

  const tab = await context.newPage();
  await tab.goto('/notices');
  await expect(tab.getByText('Sandbox Shop stopped accepting our access')).toBeVisible();
  await expect(tab.getByRole('button', { name: /^Reconnect Sandbox Shop/ })).toBeVisible();
  if (scripts) await alive(tab, 2);

  aQuarterLater(hub);
  const letter = await take('Sandbox Shop stopped accepting our access');
  expect(letter.to).toEqual([owner.email]);
  expect(letter.choices).toBe(`<${hub.url}/settings/notices>`);
  const link = linkIn(letter);

  // A scanner of mail follows every link, more than once.
  for (const method of ['HEAD', 'GET', 'GET', 'GET']) {
    expect((await fetch(link, { method, redirect: 'manual' })).status).toBe(200);
  }
  const reader = await phone(browser, scripts);
  await reader.goto(link);
  await expect(reader.getByRole('heading', { level: 1 })).toHaveText(`Sandbox Shop ${MAPLE.name}`);
  await expect(reader.getByText('Sandbox Shop stopped accepting our access')).toBeVisible();
  await press(reader, 'Reconnect Sandbox Shop');
  await atProvider(reader);
  await approve(reader, HARBOUR);
  await expect(reader.getByRole('alert')).toContainText('This is a different account');
  await expect(reader.getByRole('button', { name: 'Add as a second account' })).toHaveCount(0);
  await press(reader, `Use ${MAPLE.name}`);
  await atProvider(reader);
  await approve(reader, MAPLE);
  await expect(reader.getByRole('heading', { level: 1 })).toHaveText('Sandbox Shop works again');
  await expect(reader.getByText('Done. You can close this page.')).toBeVisible();
  await expect(reader.getByRole('link', { name: 'Open the hub' })).toBeVisible();

  // Nobody reloads the other tab.
  if (!scripts) await tab.reload();
  await expect(tab.getByRole('heading', { name: 'Nothing needs you' })).toBeVisible();
  await expect(bell(tab, 'Notices')).toBeVisible();
  await take('Sandbox Shop works again');
  await reader.goto(link);
  await expect(reader.getByRole('heading', { level: 1 })).toHaveText('This works again, nothing to do');
  await reader.context().close();
});

test('who may not repair it asks who may', async ({ page, hub, owner, take, browser, opensWindows }) => {
  await connectSandbox(page, opensWindows);
  await revoked(page, hub);
  const vera = { email: 'vera@alder.example', password: 'blue kettle sings often' };
  hub.command(['user', 'create', '--tenant', OWNER.organisation, '--name', 'Vera', '--email', vera.email], vera.password);
  change(hub, "UPDATE member SET role = 'viewer' WHERE role = 'member'");

  const other = await (await browser.newContext({ baseURL: hub.url })).newPage();
  await other.goto('/sign-in');
  await other.getByLabel('E-mail').fill(vera.email);
  await other.getByLabel('Password').fill(vera.password);
  await press(other, 'Sign in');
  await expect(bell(other, 'Notices')).toBeVisible();
  await open(other, `Sandbox Shop ${MAPLE.name}`);
  await expect(other.getByText('Mia Alder can repair this.')).toBeVisible();
  await expect(other.getByRole('button', { name: /^Reconnect/ })).toHaveCount(0);
  await press(other, 'Ask Mia Alder');
  await expect(other.getByText('Asked. They get a notice and a mail.')).toBeVisible();
  await expect(other.getByRole('button', { name: 'Ask Mia Alder' })).toHaveCount(0);

  const letter = await take('Vera asks you to repair Sandbox Shop');
  expect(letter.to).toEqual([owner.email]);
  linkIn(letter);
  await page.goto('/notices');
  await expect(page.getByText('Vera asks you to repair this.')).toBeVisible();
  await press(page, 'Mark all as read');
  await expect(bell(page, 'Notices')).toBeVisible();
  await other.context().close();
});

test('who can only wait is told when it works', { tag: '@once' }, async ({ page, hub, owner: _, take, opensWindows }) => {
  await connectSandbox(page, opensWindows);
  await open(page, `Sandbox Shop ${MAPLE.name}`);
  await hub.sandbox.breakWith({ kind: { server_error: { status: 503 } }, at: ['api'] });
  // Once or twice is a hiccup, of which nobody needs to hear.
  await expect(async () => {
    await check(page);
    await expect(page.getByRole('button', { name: 'Tell me when it works' })).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await expect(bell(page, 'Notices')).toBeVisible();
  await press(page, 'Tell me when it works');
  await expect(page.getByText('You are told when it works.')).toBeVisible();
  await hub.sandbox.heal();
  await check(page);
  await take('Sandbox Shop works again');
  await page.goto('/notices');
  await expect(page.getByText('It works again. Nothing is left for you to do.')).toBeVisible();
});

test('each chooses what they are mailed', { tag: '@once' }, async ({ page, owner: _ }) => {
  await page.goto('/settings/notices');
  await page.getByRole('radio', { name: /^Once a day/ }).check();
  await page.getByLabel('Somebody asks me to repair something').uncheck();
  await press(page, 'Save');
  await expect(page.getByText('Saved.')).toBeVisible();
  await expect(page.getByRole('radio', { name: /^Once a day/ })).toBeChecked();
  await expect(page.getByLabel('Somebody asks me to repair something')).not.toBeChecked();
  await expect(page.getByText('no mail server')).toHaveCount(0);
});
