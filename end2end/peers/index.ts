// Everything a hub under test talks to that nobody here wrote.

import { Internet } from './internet.ts';
import { LookAlikes } from './look-alikes.ts';
import { OidcProvider } from './oidc-provider.ts';
import type { ProviderApp } from './provider-app.ts';

export type { ProviderApp };

/** Products that share an app have a redirect address each. */
export class Peers {
  private constructor(
    readonly oidc: OidcProvider,
    readonly lookAlikes: LookAlikes,
    readonly internet: Internet,
  ) {}

  /** Starts them for a hub at `hubOrigin`. */
  static async start(hubOrigin: string): Promise<Peers> {
    const callbacks = (app: string) => [`${hubOrigin}/oauth/callback/${app}`];
    const oidc = await OidcProvider.start(callbacks('oidc-provider'));
    const lookAlikes = await LookAlikes.start(callbacks);
    return new Peers(oidc, lookAlikes, await Internet.open(lookAlikes.routes));
  }

  /** The provider apps, by id, as an operator would enter them. */
  get apps(): Record<string, ProviderApp> {
    return { ...this.lookAlikes.apps, 'oidc-provider': this.oidc.app };
  }

  async close(): Promise<void> {
    await this.internet.close();
    await Promise.all([this.oidc.close(), this.lookAlikes.close()]);
  }
}
