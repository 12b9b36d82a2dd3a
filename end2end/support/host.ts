// The host application: it holds an API key and borrows tokens.

import { randomUUID } from 'node:crypto';
import type { Hub } from './hub.ts';
import { OWNER } from './test.ts';

/** What a lent token comes with. */
export interface Lent {
  access_token: string;
  expires_at: string | null;
  account: { id: string | null; label: string };
}

/** Calls the API with a key; the answer as it is. */
export function callApi(hub: Hub, key: string, path: string): Promise<Response> {
  return fetch(`${hub.url}/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
}

/** A function that reads the token of the only connection to `provider`. */
export async function tokenReader(hub: Hub, provider: string): Promise<() => Promise<Lent>> {
  const scopes = 'connections:read,tokens:read';
  const named = ['--tenant', OWNER.organisation, '--name', `host ${randomUUID()}`];
  const key = hub.command(['api-key', 'create', ...named, '--scopes', scopes]);
  const { data } = (await (await callApi(hub, key, '/connections')).json()) as {
    data: { id: string; provider: string }[];
  };
  const connections = data.filter((connection) => connection.provider === provider);
  if (connections.length !== 1) {
    throw new Error(`${connections.length} connections to ${provider}`);
  }
  return async () => {
    const answer = await callApi(hub, key, `/connections/${connections[0]!.id}/token`);
    if (!answer.ok) {
      throw new Error(`no token: ${answer.status} ${await answer.text()}`);
    }
    return (await answer.json()) as Lent;
  };
}
