// Everything a hub under test talks to that nobody here wrote.

import { writeCatalog, type ProviderApp } from './catalog.ts';
import { LookAlikes } from './look-alikes.ts';
import { OidcProvider } from './oidc-provider.ts';

export type { ProviderApp };

/** Products that share an app have a redirect address each. */
export class Peers {
  private constructor(
    readonly oidc: OidcProvider,
    readonly lookAlikes: LookAlikes,
  ) {}

  /** Starts them for a hub at `hubOrigin`, and writes the catalog that leads to them. */
  static async start(hubOrigin: string, catalog: string): Promise<Peers> {
    const callbacks = (app: string) => [`${hubOrigin}/oauth/callback/${app}`];
    const oidc = await OidcProvider.start(callbacks('oidc-provider'));
    const lookAlikes = await LookAlikes.start(callbacks);
    const doors = Object.entries(lookAlikes.doors).map(([app, door]) => [app, door.origin]);
    await writeCatalog(catalog, { ...Object.fromEntries(doors), 'oidc-provider': oidc.origin });
    return new Peers(oidc, lookAlikes);
  }

  /** The provider apps, by id, as an operator would enter them. */
  get apps(): Record<string, ProviderApp> {
    return { ...this.lookAlikes.apps, 'oidc-provider': this.oidc.app };
  }

  async close(): Promise<void> {
    await Promise.all([this.oidc.close(), this.lookAlikes.close()]);
  }
}
