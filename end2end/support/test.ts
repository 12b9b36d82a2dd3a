// What every spec starts from: a hub of its own, an owner who is signed in, and
// a browser whose complaints fail the test.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect, type BrowserContext, type LaunchOptions } from '@playwright/test';
import { Authority } from '../peers/authority.ts';
import { Peers } from '../peers/index.ts';
import { freePort } from '../peers/ports.ts';
import { Services } from '../peers/services.ts';
import { Hub, type Site } from './hub.ts';
import { Watch } from './watch.ts';

export { expect };

/** The first owner, where a test does not make one itself. */
export const OWNER = {
  organisation: 'Alder & Ash Ltd',
  name: 'Mia Alder',
  email: 'mia@alder.example',
  password: 'correct horse battery',
};

/** What a project or a spec may choose. */
export interface Options {
  /** Whether Connect opens a window: not on phones, and not without JavaScript. */
  opensWindows: boolean;
  /** No script reaches the browser. */
  withoutScripts: boolean;
  /** The colours in which every page is looked at. */
  themes: ('light' | 'dark')[];
  /** Provider apps that the hub's environment lacks. */
  missingApps: string[];
}

/** How a project starts its browser. */
export interface WorkerOptions {
  launch: LaunchOptions;
}

interface Fixtures {
  /** A hub that nobody else uses. */
  hub: Hub;
  watch: Watch;
  /** Signs the owner in, in the test's own browser. */
  owner: typeof OWNER;
}

interface WorkerFixtures {
  ground: { site: Site; peers: Peers; authority: Authority };
  /** Real databases, mail servers and storage, started when a test wants them. */
  services: Services;
}

export const test = base.extend<Fixtures & Options, WorkerFixtures & WorkerOptions>({
  opensWindows: [true, { option: true }],
  withoutScripts: [false, { option: true }],
  themes: [['light', 'dark'], { option: true }],
  missingApps: [[], { option: true }],
  launch: [{}, { option: true, scope: 'worker' }],

  // Peers know the hub by its redirect addresses, so a worker's hubs follow
  // each other on the same port.
  ground: [
    async ({}, use) => {
      const catalog = await mkdtemp(join(tmpdir(), 'linkwell-catalog-'));
      const [port, sandboxPort] = [await freePort(), await freePort()];
      const peers = await Peers.start(`http://127.0.0.1:${port}`);
      await peers.oidc.describe(catalog);
      const authority = await Authority.make('DNS:localhost,IP:127.0.0.1');
      const internet = {
        address: peers.internet.address,
        authority: await authority.beside(peers.internet.authority),
      };
      await use({ site: { port, sandboxPort, catalog, internet }, peers, authority });
      await peers.close();
      await authority.close();
      await rm(catalog, { recursive: true });
    },
    { scope: 'worker' },
  ],

  services: [
    async ({ ground }, use) => {
      const services = await Services.start(ground.authority);
      await use(services);
      await services.close();
    },
    { scope: 'worker', timeout: 120_000 },
  ],

  hub: async ({ ground, missingApps }, use, testInfo) => {
    const apps = Object.entries(ground.peers.apps).filter(([id]) => !missingApps.includes(id));
    const hub = await Hub.start(ground.site, Object.fromEntries(apps));
    await use(hub);
    await hub.discard();
    if (testInfo.status !== testInfo.expectedStatus) {
      await testInfo.attach('hub.log', { body: hub.log, contentType: 'text/plain' });
    }
    expect(hub.errors, 'the hub logs no error').toEqual([]);
  },

  watch: async ({ context, hub, withoutScripts }, use, testInfo) => {
    const watch = new Watch(context, hub.url);
    if (withoutScripts) {
      watch.allow(/was preloaded using link preload but not used/);
      watch.allow(/\.(js|wasm)\b|dynamically imported module/);
      await context.route(/\.(js|wasm)$/, (route) => route.abort());
    }
    watch.start();
    await use(watch);
    if (testInfo.status !== testInfo.expectedStatus) {
      const body = watch.complaints.join('\n');
      await testInfo.attach('complaints', { body, contentType: 'text/plain' });
      return;
    }
    expect(watch.complaints, 'the browser has nothing to complain about').toEqual([]);
    expect(watch.strangers, 'our pages ask nobody else').toEqual([]);
  },

  page: async ({ page, watch: _ }, use) => use(page),

  // What has a port instead of a name, the hub too, is asked directly.
  proxy: async ({ ground, browserName }, use) => {
    const proxy = { server: ground.peers.internet.address, bypass: '127.0.0.1,localhost' };
    await use(browserName === 'firefox' ? undefined : proxy);
  },

  // Firefox, told so, goes on without the proxy where a page of ours leads to a
  // provider. By its own settings it does not, and asks this machine directly.
  launchOptions: [
    async ({ launch, ground, browserName }, use) => {
      const { hostname, port } = new URL(ground.peers.internet.address);
      const asked = ['http', 'ssl'].flatMap((scheme) => [
        [`network.proxy.${scheme}`, hostname],
        [`network.proxy.${scheme}_port`, Number(port)],
      ]);
      const firefoxUserPrefs = Object.fromEntries([['network.proxy.type', 1], ...asked]);
      await use(browserName === 'firefox' ? { ...launch, firefoxUserPrefs } : launch);
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ ground }, use) => use(`http://127.0.0.1:${ground.site.port}`),

  owner: async ({ hub, context }, use) => {
    await found(hub, context);
    await use(OWNER);
  },
});

/** Makes the owner's account from this browser, which is signed in then. */
async function found(hub: Hub, context: BrowserContext): Promise<void> {
  await post(hub, context, '/api/set_up', OWNER);
}

/** Signs the owner in from another browser. */
export async function signIn(hub: Hub, context: BrowserContext): Promise<void> {
  const { email, password } = OWNER;
  await post(hub, context, '/api/sign_in', { email, password });
}

async function post(hub: Hub, context: BrowserContext, path: string, form: Record<string, string>) {
  const answer = await context.request.post(hub.url + path, {
    form,
    headers: { origin: hub.url },
    maxRedirects: 0,
  });
  expect(answer.headers()['location'], `where ${path} leads`).toBe('/');
}
