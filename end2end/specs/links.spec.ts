// A link of a host application: somebody without an account here connects, and
// goes back where they came from.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, Page } from '@playwright/test';
import { callApi } from '../support/host.ts';
import { MAPLE } from '../support/sandbox.ts';
import { approve, atProvider } from '../support/people.ts';
import { expect, OWNER, test } from '../support/test.ts';
import type { Hub } from '../support/hub.ts';

const KEY = 'Restricted API key';
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

let app: Server;
let origin: string;

/** The host application, as far as its person sees it. */
test.beforeAll(async () => {
  app = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><html lang="en"><title>The app</title><link rel="icon" href="data:,"><h1>Back at the app</h1></html>');
  });
  await new Promise<void>((listening) => app.listen(0, '127.0.0.1', listening));
  origin = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
});

test.afterAll(() => app.close());

interface Link {
  id: string;
  url: string;
  status: string;
  connection_id: string | null;
}

/** A host application with a key that may send people back to it. */
async function host(hub: Hub): Promise<{ make: (providers: string[]) => Promise<Link>; look: (id: string) => Promise<Link> }> {
  const { organisation, name, email, password } = OWNER;
  hub.command(['user', 'create', '--tenant', organisation, '--name', name, '--email', email], password);
  const named = ['--tenant', organisation, '--name', 'app', '--scopes', 'connections:read,connections:write'];
  const key = hub.command(['api-key', 'create', ...named, '--return-origins', origin]);
  return {
    make: async (providers) => {
      const asked = { providers, return_to: `${origin}/done`, reference: 'customer-42' };
      const answer = await callApi(hub, key, '/connect-links', asked);
      expect(answer.status).toBe(201);
      return (await answer.json()) as Link;
    },
    look: async (id) => (await (await callApi(hub, key, `/connect-links/${id}`)).json()) as Link,
  };
}

/** Waits until the person is at the host application again. */
async function back(page: Page): Promise<URLSearchParams> {
  await page.waitForURL(`${origin}/**`);
  await expect(page.getByRole('heading', { name: 'Back at the app' })).toBeVisible();
  return new URL(page.url()).searchParams;
}

test('somebody without an account connects a shop and goes back', async ({ page, hub, watch }) => {
  watch.allow(/status of 404/);
  const { make, look } = await host(hub);
  const link = await make(['sandbox']);
  await page.goto(link.url);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${OWNER.organisation} asks you to connect Sandbox Shop`);
  await press(page, 'Continue');

  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Connect Sandbox Shop');
  expect(page.url(), 'the secret is in no address any more').toBe(`${hub.url}/guest/connect/sandbox`);
  await expect(page.getByRole('navigation', { name: 'Main' })).toHaveCount(0);
  await press(page, 'Connect Sandbox Shop');
  await atProvider(page);
  await approve(page, MAPLE);

  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sandbox Shop is connected');
  const told = await back(page);
  const { status, connection_id } = await look(link.id);
  expect(status).toBe('connected');
  expect(Object.fromEntries(told)).toEqual({ status: 'connected', reference: 'customer-42', connection_id });

  await page.goto(link.url);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('This link cannot be used any more');
});

test('a key is entered in the conversation', async ({ page, hub }) => {
  const { make, look } = await host(hub);
  const link = await make(['stripe', 'sandbox']);
  await page.goto(link.url);
  await press(page, 'Continue');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Choose what to connect');
  await page.getByRole('link', { name: 'Choose Stripe (API key)' }).click();
  await press(page, 'Set up Stripe (API key)');
  await press(page, 'Understood, go on');
  await page.getByLabel(KEY, { exact: true }).fill('rk_live_AlderAndAsh');
  await press(page, 'Continue');
  await press(page, 'Test and connect');
  await expect(page.getByRole('alert')).toContainText('rejected the key or password');
  await press(page, 'Enter new credentials');
  await page.getByLabel(KEY, { exact: true }).fill('sk_test_AlderAndAsh');
  await press(page, 'Continue');
  await press(page, 'Test and connect');
  // The data is for those who asked for it, and for nobody else.
  await expect(page.getByRole('heading', { name: /connected$/ })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Look at the data' })).toHaveCount(0);
  await page.getByRole('link', { name: 'Go on' }).click();
  expect((await back(page)).get('status')).toBe('connected');
  expect((await look(link.id)).status).toBe('connected');
});

test('who changes their mind goes back with nothing connected', { tag: '@once' }, async ({ page, hub }) => {
  const { make, look } = await host(hub);
  const link = await make(['sandbox']);
  await page.goto(link.url);
  await press(page, 'Continue');
  await press(page, 'Connect Sandbox Shop');
  await atProvider(page);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByRole('alert')).toContainText('The connection was not completed');
  await page.getByRole('link', { name: 'Try again' }).click();
  await page.getByRole('link', { name: /^Not now, back to 127\.0\.0\.1/ }).click();
  expect(Object.fromEntries(await back(page))).toEqual({ status: 'cancelled', reference: 'customer-42' });
  expect((await look(link.id)).status).toBe('opened');
});

test('a link that somebody else opened says so', { tag: '@once' }, async ({ page, hub, browser, watch }) => {
  watch.allow(/status of 404/);
  const link = await (await host(hub)).make(['sandbox']);
  const other: BrowserContext = await browser.newContext();
  const first = await other.newPage();
  await first.goto(link.url);
  await press(first, 'Continue');
  await other.close();
  await page.goto(link.url);
  await press(page, 'Continue');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('This link cannot be used any more');
  await expect(page.getByText('for a new one')).toBeVisible();
});
