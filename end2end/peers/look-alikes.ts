// Google, GitHub, Slack and Microsoft as the npm package `emulate` plays them:
// account pickers, client checks, PKCE and API answers by people who did not
// write this product. They accept any bearer token, so they prove nothing about
// bad ones.

import { createEmulator } from 'emulate';
import type { ProviderApp } from './catalog.ts';
import { FrontDoor, type Rewrite } from './front-door.ts';
import { freePort } from './ports.ts';

/** How one provider is played. */
interface Play {
  service: 'google' | 'github' | 'slack' | 'microsoft';
  rewrites: Rewrite[];
  /** The accounts there are, and our app with its redirect addresses. */
  seed(app: ProviderApp, redirectUris: string[]): object;
}

const client = ({ clientId, clientSecret }: ProviderApp, redirect_uris: string[]) => ({
  client_id: clientId,
  client_secret: clientSecret,
  name: 'Linkwell',
  redirect_uris,
});

const PLAYS: Play[] = [
  {
    service: 'google',
    rewrites: [
      [/^\/(token|revoke)\b/, '/oauth2/$1'],
      [/^\/v1\/userinfo\b/, '/oauth2/v2/userinfo'],
      // There is no profile; this call needs the same right.
      [/^\/gmail\/v1\/users\/me\/profile\b/, '/gmail/v1/users/me/settings/sendAs'],
    ],
    seed: (app, uris) => ({
      users: [
        { email: 'mia@alder.example', name: 'Mia Alder' },
        { email: 'jonas@alder.example', name: 'Jonas Alder' },
      ],
      oauth_clients: [client(app, uris)],
    }),
  },
  {
    service: 'github',
    rewrites: [],
    seed: (app, uris) => ({
      users: [{ login: 'mia-alder', name: 'Mia Alder', email: 'mia@alder.example' }],
      oauth_apps: [client(app, uris)],
    }),
  },
  {
    service: 'slack',
    rewrites: [],
    seed: (app, uris) => ({
      team: { name: 'Alder & Ash', domain: 'alder-ash' },
      users: [{ name: 'mia', real_name: 'Mia Alder', email: 'mia@alder.example' }],
      oauth_apps: [{ ...client(app, uris), scopes: ['channels:read', 'chat:write', 'users:read'] }],
    }),
  },
  {
    service: 'microsoft',
    rewrites: [[/^\/common\/oauth2\/v2\.0\//, '/oauth2/v2.0/']],
    seed: (app, uris) => ({
      users: [{ email: 'mia@alder.example', name: 'Mia Alder' }],
      oauth_clients: [client(app, uris)],
    }),
  },
];

export class LookAlikes {
  private constructor(
    /** By provider app id. */
    readonly doors: Record<string, FrontDoor>,
    readonly apps: Record<string, ProviderApp>,
    private readonly emulators: { close(): Promise<unknown> }[],
  ) {}

  /** Starts all four; `redirectUris` are the addresses of this worker's hub. */
  static async start(redirectUris: (app: string) => string[]): Promise<LookAlikes> {
    const peers = new LookAlikes({}, {}, []);
    for (const { service, rewrites, seed } of PLAYS) {
      const [port, behind] = [await freePort(), await freePort()];
      const app = { clientId: `linkwell-at-${service}`, clientSecret: `secret-for-${service}` };
      const emulator = await createEmulator({
        service,
        port: behind,
        baseUrl: `http://localhost:${port}`,
        seed: { [service]: seed(app, redirectUris(service)) },
      });
      peers.emulators.push(emulator);
      peers.apps[service] = app;
      peers.doors[service] = await FrontDoor.open(port, behind, rewrites);
    }
    return peers;
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.doors).map((door) => door.close()));
    await Promise.all(this.emulators.map((emulator) => emulator.close()));
  }
}
