// The providers as the npm packages `emulate` and `stripe-stateful-mock` play
// them: account pickers, client checks, PKCE and API answers by people who did
// not write this product. At Google, GitHub, Slack and Microsoft `emulate` takes
// any bearer token, so it proves nothing about bad ones.

import { createServer, type Server } from 'node:http';
import { createEmulator } from 'emulate';
import { createExpressApp } from 'stripe-stateful-mock';
import type { Route } from './internet.ts';
import { freePort } from './ports.ts';
import type { ProviderApp } from './provider-app.ts';

/** A call that the look-alike serves under another path than the provider. */
type Gap = [host: string, path: string, played: string];

/** How one provider is played. */
interface Play {
  hosts: [string, ...string[]];
  gaps?: Gap[];
  /** The accounts there are, and our app with its redirect addresses. */
  seed(app: ProviderApp, redirectUris: string[]): object;
}

/** What Twilio's console would show. */
export const TWILIO = {
  accountSid: `AC${'0a'.repeat(16)}`,
  authToken: 'AuthTokenAuthTokenAuthTokenAuth1',
  keySid: `SK${'0b'.repeat(16)}`,
  keySecret: 'KeySecretKeySecretKeySecretKeyS1',
};

const client = ({ clientId, clientSecret }: ProviderApp, redirect_uris: string[]) => ({
  client_id: clientId,
  client_secret: clientSecret,
  name: 'Linkwell',
  redirect_uris,
});

const MIA = { email: 'mia@alder.example', name: 'Mia Alder' };

/** By the service's name, which is the provider app's id too. */
const PLAYS = {
  google: {
    hosts: [
      'accounts.google.com',
      'oauth2.googleapis.com',
      'openidconnect.googleapis.com',
      'gmail.googleapis.com',
      'www.googleapis.com',
    ],
    gaps: [
      ['oauth2.googleapis.com', String.raw`/(token|revoke)\b`, String.raw`/oauth2/\1`],
      ['openidconnect.googleapis.com', String.raw`/v1/userinfo\b`, '/oauth2/v2/userinfo'],
      // There is no profile; this call needs the same right.
      ['gmail.googleapis.com', String.raw`/gmail/v1/users/me/profile\b`, '/gmail/v1/users/me/settings/sendAs'],
    ],
    seed: (app, uris) => ({
      users: [MIA, { email: 'jonas@alder.example', name: 'Jonas Alder' }],
      oauth_clients: [client(app, uris)],
    }),
  },
  github: {
    hosts: ['github.com', 'api.github.com'],
    seed: (app, uris) => ({
      users: [{ login: 'mia-alder', ...MIA }],
      oauth_apps: [client(app, uris)],
    }),
  },
  slack: {
    hosts: ['slack.com'],
    seed: (app, uris) => ({
      team: { name: 'Alder & Ash', domain: 'alder-ash' },
      users: [{ name: 'mia', real_name: MIA.name, email: MIA.email }],
      oauth_apps: [{ ...client(app, uris), scopes: ['channels:read', 'chat:write', 'users:read'] }],
    }),
  },
  microsoft: {
    hosts: ['login.microsoftonline.com', 'graph.microsoft.com'],
    // It has one directory, which its addresses do not name.
    gaps: [['login.microsoftonline.com', String.raw`/common/oauth2/v2\.0/`, '/oauth2/v2.0/']],
    seed: (app, uris) => ({ users: [MIA], oauth_clients: [client(app, uris)] }),
  },
  okta: {
    hosts: ['alder-ash.okta.com'],
    seed: (app, uris) => ({
      users: [{ login: MIA.email, email: MIA.email, first_name: 'Mia', last_name: 'Alder' }],
      // `org` is the authorization server that every organisation has.
      oauth_clients: [
        { ...client(app, uris), auth_server_id: 'org', token_endpoint_auth_method: 'client_secret_basic' },
      ],
    }),
  },
  linear: {
    hosts: ['linear.app', 'api.linear.app'],
    seed: (app, uris) => ({
      organization: { name: 'Alder & Ash', url_key: 'alder-ash' },
      users: [MIA],
      oauth_apps: [{ ...client(app, uris), scopes: ['read', 'write', 'issues:create', 'comments:create'] }],
      strict_scopes: true,
    }),
  },
  twilio: {
    hosts: ['api.twilio.com'],
    seed: () => ({
      account: { sid: TWILIO.accountSid, auth_token: TWILIO.authToken, friendly_name: 'Alder & Ash' },
      api_keys: [{ sid: TWILIO.keySid, secret: TWILIO.keySecret, friendly_name: 'Linkwell' }],
    }),
  },
} satisfies Record<string, Play>;

type Service = keyof typeof PLAYS;

export class LookAlikes {
  private constructor(
    /** By provider app id. */
    readonly apps: Record<string, ProviderApp>,
    /** How the providers' addresses lead to them. */
    readonly routes: Route[],
    private readonly closing: (() => Promise<unknown>)[],
  ) {}

  /** Starts all; `redirectUris` are the addresses of this worker's hub. */
  static async start(redirectUris: (app: string) => string[]): Promise<LookAlikes> {
    const peers = new LookAlikes({}, [], []);
    for (const [service, play] of Object.entries(PLAYS) as [Service, Play][]) {
      const app = { clientId: `linkwell-at-${service}`, clientSecret: `secret-for-${service}` };
      const port = await freePort();
      const emulator = await createEmulator({
        service,
        port,
        baseUrl: `https://${play.hosts[0]}`,
        seed: { [service]: play.seed(app, redirectUris(service)) },
      });
      peers.apps[service] = app;
      peers.lead(port, play);
      peers.closing.push(() => emulator.close());
    }
    await peers.startStripe();
    return peers;
  }

  /** `emulate` has no accounts at Stripe, which are what a key is named after. */
  private async startStripe(): Promise<void> {
    const port = await freePort();
    const server = createServer(createExpressApp());
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
    this.closing.push(() => stop(server));
    const made = await fetch(`http://127.0.0.1:${port}/v1/accounts`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_console' },
      body: new URLSearchParams({ id: 'acct_alder', type: 'standard' }),
    });
    if (!made.ok) {
      throw new Error(`no account at Stripe: ${await made.text()}`);
    }
    // It serves accounts by their ids only, not the one that a key belongs to.
    const gaps: Gap[] = [['api.stripe.com', String.raw`/v1/account\b`, '/v1/accounts/acct_alder']];
    this.lead(port, { hosts: ['api.stripe.com'], gaps });
  }

  private lead(port: number, { hosts, gaps = [] }: Pick<Play, 'hosts' | 'gaps'>): void {
    const origin = `http://127.0.0.1:${port}`;
    this.routes.push(
      ...gaps.map(([host, path, played]) => ({ host, path, to: origin + played })),
      ...hosts.map((host) => ({ host, path: '/', to: `${origin}/` })),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.closing.map((close) => close()));
  }
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
}
