// A system that is told: a receiver of this machine, and the scheme's own
// library, which nobody here wrote, to say whether what it hears is genuine.

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { expect, test as base } from '../support/test.ts';
import { check, connectSandbox, open } from '../support/people.ts';

interface Heard {
  headers: IncomingHttpHeaders;
  body: string;
}

const test = base.extend<{ receiver: { url: string; heard: Heard[]; answer: { status: number } } }>({
  receiver: async ({}, use) => {
    const heard: Heard[] = [];
    const answer = { status: 204 };
    const server: Server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (part: string) => (body += part));
      request.on('end', () => {
        heard.push({ headers: request.headers, body });
        response.writeHead(answer.status).end();
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    await use({ url: `http://127.0.0.1:${port}/hooks`, heard, answer });
    await new Promise((closed) => server.close(closed));
  },
});

test('an admin adds a webhook, which hears at once what a person has to do', async ({
  page,
  hub,
  owner: _,
  opensWindows,
  receiver,
}) => {
  await page.goto('/settings/webhooks');
  await expect(page.getByText('Nobody is told yet')).toBeVisible();
  await page.getByLabel('Address').fill('hooks');
  await page.getByRole('button', { name: 'Add webhook' }).click();
  await expect(page.getByRole('alert')).toContainText('Enter an address');
  await page.getByLabel('Address').fill(receiver.url);
  await page.getByRole('button', { name: 'Add webhook' }).click();
  await expect(page.getByRole('heading', { name: 'Copy this signing secret now' })).toBeVisible();
  const secret = await page.locator('.copyable-value').innerText();
  await page.getByRole('link', { name: 'I have copied it' }).click();
  await expect(page.getByText(secret)).toHaveCount(0);

  await page.getByRole('button', { name: /^Send a test/ }).click();
  await expect(page.getByText('The test message was taken.')).toBeVisible();
  const genuine = ({ headers, body }: Heard) =>
    new Webhook(secret).verify(body, headers as Record<string, string>) as { type: string; data: any };
  expect(genuine(receiver.heard[0]!).type).toBe('webhook.test');

  await connectSandbox(page, opensWindows);
  await hub.sandbox.revokeAll();
  await open(page, 'Sandbox Shop Maple & Co.');
  await check(page);
  const types = () => receiver.heard.map((one) => genuine(one).type);
  await expect.poll(types).toContain('connection.action_required');
  expect(types()).toContain('connection.created');
  const { data } = receiver.heard.map(genuine).find(({ type }) => type === 'connection.action_required')!;
  expect(data).toMatchObject({
    connection: { provider: 'sandbox', name: 'Maple & Co.' },
    code: 'GRANT_REVOKED_OR_EXPIRED',
    prompt: { action: { label: 'Reconnect Sandbox Shop' } },
  });
  expect(() => genuine({ ...receiver.heard[0]!, body: '{}' })).toThrow();
});

test('an admin sees that nobody listens, and has it sent again', async ({ page, owner: _, receiver }) => {
  receiver.answer.status = 500;
  await page.goto('/settings/webhooks');
  await page.getByLabel('Address').fill(receiver.url);
  await page.getByLabel('It works again').check();
  await page.getByRole('button', { name: 'Add webhook' }).click();
  await page.getByRole('link', { name: 'I have copied it' }).click();
  await page.getByRole('button', { name: /^Send a test/ }).click();
  await expect(page.getByRole('alert')).toContainText('The test message was not taken: it answered 500');
  await expect(page.getByText(/Messages are not taken/)).toBeVisible();

  receiver.answer.status = 410;
  await page.getByRole('button', { name: /^Send a test/ }).click();
  await expect(page.getByText(/gone for good/)).toBeVisible();
  receiver.answer.status = 200;
  await page.getByRole('button', { name: /^Send again/ }).click();
  await expect(page.getByText('What was given up is sent again.')).toBeVisible();

  await page.getByRole('link', { name: /^New secret/ }).click();
  await page.getByRole('button', { name: 'Make new secret' }).click();
  await page.getByRole('link', { name: 'I have copied it' }).click();
  await expect(page.getByText(/old one ending in/)).toBeVisible();
  await page.getByRole('link', { name: /^Remove/ }).click();
  await expect(page.getByRole('heading', { name: 'Remove this webhook?' })).toBeVisible();
  await page.getByRole('link', { name: 'Keep it' }).click();
  await page.getByRole('link', { name: /^Remove/ }).click();
  await page.getByRole('button', { name: 'Remove webhook' }).click();
  await expect(page.getByText('Nobody is told yet')).toBeVisible();
});
