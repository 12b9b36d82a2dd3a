// The certified server `oidc-provider`, with its own sign-in and consent pages.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { Provider, type Configuration } from 'oidc-provider';
import type { ProviderApp } from './provider-app.ts';
import { freePort } from './ports.ts';

const ACCESS_LIFETIME_S = 600;

export class OidcProvider {
  readonly app: ProviderApp = { clientId: 'linkwell', clientSecret: randomBytes(24).toString('hex') };
  /** Seconds an access token lives that is issued from now on. */
  accessLifetimeS = ACCESS_LIFETIME_S;
  /** Refresh tokens that were used. */
  refreshes = 0;
  /** Grants that ended: by our revocation, or because a refresh token came twice. */
  grantsRevoked = 0;

  private constructor(
    readonly origin: string,
    private readonly server: { current?: Server } = {},
  ) {}

  static async start(redirectUris: string[]): Promise<OidcProvider> {
    const port = await freePort();
    const peer = new OidcProvider(`http://localhost:${port}`);
    const provider = new Provider(peer.origin, peer.configuration(redirectUris));
    provider.on('refresh_token.consumed', () => (peer.refreshes += 1));
    provider.on('grant.revoked', () => (peer.grantsRevoked += 1));
    provider.on('server_error', (_, error) => console.error('oidc-provider failed:', error));
    peer.server.current = provider.listen(port, '127.0.0.1');
    return peer;
  }

  /** Writes its provider file. */
  async describe(catalog: string): Promise<void> {
    const entry = await readFile(join(import.meta.dirname, 'oidc-provider.toml'), 'utf8');
    const { port } = new URL(this.origin);
    await writeFile(join(catalog, 'oidc-provider.toml'), entry.replaceAll('PORT', port));
  }

  private configuration(redirect_uris: string[]): Configuration {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return {
      clients: [
        {
          client_id: this.app.clientId,
          client_secret: this.app.clientSecret,
          redirect_uris,
          grant_types: ['authorization_code', 'refresh_token'],
          id_token_signed_response_alg: 'ES256',
        },
      ],
      jwks: { keys: [privateKey.export({ format: 'jwk' }) as never] },
      cookies: { keys: [randomBytes(24).toString('hex')] },
      features: {
        devInteractions: { enabled: true },
        revocation: { enabled: true },
        userinfo: { enabled: true },
      },
      claims: { openid: ['sub'], email: ['email'] },
      pkce: { required: () => true },
      rotateRefreshToken: true,
      clockTolerance: 0,
      ttl: {
        AccessToken: () => this.accessLifetimeS,
        RefreshToken: 86_400,
        Grant: 86_400,
        Session: 86_400,
        Interaction: 600,
        IdToken: 600,
      },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@oidc.example` }),
      }),
    };
  }

  /** As it was when it started. */
  reset(): void {
    this.accessLifetimeS = ACCESS_LIFETIME_S;
    this.refreshes = 0;
    this.grantsRevoked = 0;
  }

  /** Whether the server still honours an access token. */
  async honours(accessToken: string): Promise<boolean> {
    const headers = { authorization: `Bearer ${accessToken}` };
    return (await fetch(`${this.origin.replace('localhost', '127.0.0.1')}/me`, { headers })).ok;
  }

  async close(): Promise<void> {
    this.server.current?.closeAllConnections();
    await new Promise((closed) => this.server.current?.close(closed));
  }
}
