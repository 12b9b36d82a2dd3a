// The provider files a hub under test is given.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a provider knows us by. */
export interface ProviderApp {
  clientId: string;
  clientSecret: string;
}

const PRODUCTION = join(import.meta.dirname, '../../server/hub/catalog');

/**
 * Writes provider files whose calls go to stand-ins: `origins` says where the
 * app with this id is played. The entries are the production ones; only scheme
 * and host of what is called are replaced.
 */
export async function writeCatalog(directory: string, origins: Record<string, string>): Promise<void> {
  const own = join(import.meta.dirname, 'oidc-provider.toml');
  const files: [file: string, from: string, app: string][] = [
    ['oidc-provider.toml', own, 'oidc-provider'],
    ['google.toml', join(PRODUCTION, 'google.toml'), 'google'],
    ...['google-gmail', 'github', 'slack', 'microsoft'].map((id): [string, string, string] => [
      `${id}.toml`,
      join(PRODUCTION, `${id}.toml`),
      id.split('-')[0]!,
    ]),
  ];
  await mkdir(directory, { recursive: true });
  for (const [file, from, app] of files) {
    const text = await readFile(from, 'utf8');
    await writeFile(join(directory, file), standIn(text, origins[app]!, file !== 'google-gmail.toml'));
  }
}

/** `https` is demanded of fixed addresses, so the stand-in's is a variable. */
function standIn(toml: string, origin: string, declares: boolean): string {
  const called = /^(url|base|issuer) = "https:\/\/[^/"]+/gm;
  const declaration = `
[[variable]]
name = "stand_in"
from = "catalog"
default = "${origin}"
pattern = '${origin.replaceAll('.', '\\.')}'
`;
  return toml.replace(called, '$1 = "{stand_in}') + (declares ? declaration : '');
}
