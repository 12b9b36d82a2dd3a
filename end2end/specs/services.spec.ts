// What is entered by hand, against the real thing: databases, a cache, mail,
// storage with signed requests, and a REST server. Each is tried in front of
// the person, refused where something is wrong, connected, and looked at.

import { createServer, type AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import { LOGIN, REST, type Services } from '../peers/services.ts';
import { afterTest, row } from '../support/people.ts';
import { expect, test } from '../support/test.ts';

type Fields = Record<string, string>;

interface Service {
  id: string;
  provider: string;
  account: RegExp;
  right(services: Services): Fields;
  wrong: Fields;
  /** Which line a wrong key fails at. */
  fails: RegExp;
  /** What one of the first rows has; none where nothing is read. */
  shows?: string;
  tag?: string;
}

const database = (services: Services, port: string): Fields => ({
  Host: 'localhost',
  Port: port,
  Database: 'shop',
  User: LOGIN.user,
  Password: LOGIN.password,
  'CA certificate': services.own.pem,
});
const mail = (server: string, port: string): Fields => ({
  [server]: '127.0.0.1',
  Port: port,
  User: LOGIN.user,
  'Password or app password': LOGIN.password,
});
const WRONG: Fields = { Password: 'not-the-password' };
const WRONG_MAIL: Fields = { 'Password or app password': 'not-the-password' };
const SIGN_IN = /^Sign in, failed/;

const SERVICES: Service[] = [
  {
    id: 'mariadb',
    provider: 'MariaDB',
    account: /shop at localhost/,
    right: (services) => database(services, services.port('mariadb')),
    wrong: WRONG,
    fails: SIGN_IN,
    shows: 'Ana <b>Alder</b>',
  },
  {
    id: 'redis',
    provider: 'Redis',
    account: /localhost/,
    right: (services) => ({
      Host: 'localhost',
      Port: services.port('redis'),
      User: LOGIN.user,
      Password: LOGIN.password,
    }),
    wrong: WRONG,
    fails: SIGN_IN,
  },
  {
    id: 'imap',
    provider: 'IMAP (read mail)',
    account: /linkwell/,
    right: (services) => mail('Incoming server', services.port('imap')),
    wrong: WRONG_MAIL,
    fails: SIGN_IN,
    shows: 'The order of the kettle',
  },
  {
    id: 'smtp',
    provider: 'SMTP (send mail)',
    account: /linkwell/,
    right: (services) => mail('Outgoing server', services.port('smtp')),
    wrong: WRONG_MAIL,
    fails: SIGN_IN,
  },
  {
    id: 's3',
    provider: 'Amazon S3 or compatible',
    account: /alder-files/,
    right: ({ bucket }) => ({
      Endpoint: bucket.endpoint,
      Region: bucket.region,
      Bucket: bucket.bucket,
      'Access key ID': bucket.accessKeyId,
      'Secret access key': bucket.secretAccessKey,
    }),
    wrong: { 'Secret access key': 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    fails: SIGN_IN,
    shows: 'orders/2026-11.csv',
  },
  {
    id: 'rest-api',
    provider: 'REST API',
    account: /localhost/,
    right: ({ rest }) => ({
      'Base address': rest,
      'Test path': '/items',
      'Authorization header': REST.key,
      'Further headers': `X-Account: ${REST.account}`,
      'Method of the test': 'POST',
      'Status of a good answer': '201',
      'What a good answer has': '/data/items',
    }),
    wrong: { 'Authorization header': 'Bearer wrong-3f9a1c7e' },
    fails: SIGN_IN,
    shows: 'Kettle',
  },
];

const lines = (page: Page) => page.getByRole('list', { name: 'Test' }).getByRole('listitem');
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const named = (label: string) => new RegExp(`^${label.replace(/[()]/g, '\\$&')}( \\(optional\\))?$`);

async function enter(page: Page, fields: Fields): Promise<void> {
  for (const [label, value] of Object.entries(fields)) {
    await page.getByLabel(named(label)).fill(value);
  }
  await press(page, 'Test and connect');
}

async function fits(page: Page): Promise<void> {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wider, 'nothing reaches beyond the edge').toBeLessThanOrEqual(0);
}

for (const { id, provider, account, right, wrong, fails, shows } of SERVICES) {
  test(`${provider}: refused, then connected and looked at`, { tag: '@once' }, async ({ page, services, owner: _ }) => {
    await page.goto(`/connect/${id}`);
    await press(page, 'Show as form');
    await enter(page, { ...right(services), ...wrong });
    await expect(lines(page).filter({ has: page.getByRole('alert') })).toHaveText(fails);
    await expect(page.getByRole('alert')).toContainText('rejected the key or password');

    // The button leads to the one answer that is wrong; the others are kept.
    await press(page, 'Enter new credentials');
    await page.getByLabel(named(Object.keys(wrong)[0] ?? '')).waitFor();
    await enter(page, Object.fromEntries(Object.keys(wrong).map((label) => [label, right(services)[label] ?? ''])));
    await expect(page.getByRole('heading', { name: `${provider} connected` })).toBeVisible();
    await expect(page.getByRole('status').first()).toContainText(account);
    expect(await page.content()).not.toContain(LOGIN.password);

    const look = page.getByRole('link', { name: 'Look at the data' });
    if (shows === undefined) {
      await expect(look).toHaveCount(id === 'smtp' ? 0 : 1);
      await afterTest(page, provider);
      await expect(page.getByRole('region', { name: /^Connected/ })).toContainText(provider);
      return;
    }
    await look.click();
    await expect(page.getByRole('cell', { name: shows, exact: true }).first()).toBeVisible();
  });
}

test('PostgreSQL: bad TLS is named, then it is connected, looked at and its columns named', { tag: '@once' }, async ({
  page,
  services,
  owner: _,
}) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto('/connect/postgresql');
  await press(page, 'Show as form');
  const right = database(services, services.port('postgres'));
  // The certificate is for another name than the address.
  await enter(page, { ...right, Host: '127.0.0.1' });
  await expect(lines(page).filter({ has: page.getByRole('alert') })).toHaveText(/^Encrypted connection, failed/);
  await expect(page.getByRole('alert')).toContainText("The server's certificate is for another name.");
  await expect(lines(page).filter({ hasText: 'passed' })).toHaveText([/^Reach the service/]);
  await fits(page);

  await press(page, 'Correct it');
  await enter(page, { Host: 'localhost', 'CA certificate': '' });
  await expect(page.getByRole('alert')).toContainText('an authority that we do not know');
  await page.getByRole('link', { name: 'Back to what you entered' }).click();
  await enter(page, { 'CA certificate': services.own.pem });
  await expect(lines(page).filter({ hasText: 'passed' })).toHaveCount(5);
  await expect(page.getByText('May read 2 tables')).toBeVisible();
  await fits(page);

  await page.getByRole('link', { name: 'Look at the data' }).click();
  await expect(page.getByRole('cell', { name: 'Ana <b>Alder</b>' })).toBeVisible();
  const odd = page.getByRole('listitem');
  await expect(odd.filter({ hasText: /^id: / })).toContainText('several rows have the same one');
  await expect(odd.filter({ hasText: /^placed: / })).toContainText('Some dates stand for none');
  await expect(odd.filter({ hasText: /^nothing: / })).toContainText('No row here has a value');
  await fits(page);

  await page.getByText('Name the columns for your automations').click();
  await page.getByLabel('customer', { exact: true }).fill('buyer');
  await press(page, 'Save names');
  await expect(page.getByText('Names saved.')).toBeVisible();
  await expect(page.getByRole('columnheader', { name: /^buyer/ })).toBeVisible();

  await page.getByLabel('Table').selectOption({ index: 1 });
  await press(page, 'Show');
  await expect(page.getByRole('cell', { name: 'kettle' })).toBeVisible();
  await page.goto('/');
  await expect(row(page, 'PostgreSQL shop at localhost')).toContainText('Connected');
});

test('what has passed is seen while a slow service is still asked', { tag: '@once' }, async ({ page, owner: _ }) => {
  let refuse = () => {};
  const slow = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (asked) => {
      const isTls = asked[0] === 0x16;
      if (isTls) {
        socket.destroy();
      } else if (asked.includes('AUTH')) {
        refuse = () => socket.write('-WRONGPASS not this one\r\n');
      }
    });
  });
  await new Promise<void>((listening) => slow.listen(0, '127.0.0.1', listening));
  await page.goto('/connect/redis');
  await press(page, 'Show as form');
  await enter(page, {
    Host: 'localhost',
    Port: `${(slow.address() as AddressInfo).port}`,
    User: LOGIN.user,
    Password: LOGIN.password,
  });
  await expect(lines(page).filter({ visible: true })).toHaveText([
    /^Reach the service, passed/,
    /^Encrypted connection, not needed/,
    /^Sign in, trying/,
  ]);
  await expect(page.getByRole('alert')).toHaveCount(0);
  refuse();
  await expect(page.getByRole('alert')).toContainText('Redis rejected the key or password');
  await expect(lines(page).filter({ visible: true, hasText: 'trying' })).toHaveCount(0);
  slow.close();
});
