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

/** Calls the API with a key, with a body as POST; the answer as it is. */
export function callApi(hub: Hub, key: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${hub.url}/v1${path}`, {
    headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  });
}

/** A new key of the owner's organisation. */
export function newKey(hub: Hub, scopes: string): string {
  const named = ['--tenant', OWNER.organisation, '--name', `host ${randomUUID()}`];
  return hub.command(['api-key', 'create', ...named, '--scopes', scopes]);
}

/**
 * Brings connections with tokens that no provider knows, and answers their ids
 * by provider and account: `sandbox account 1`.
 */
export async function importConnections(
  hub: Hub,
  wanted: { provider: string; account: string }[],
): Promise<Record<string, string>> {
  const key = newKey(hub, 'connections:write');
  const ids: Record<string, string> = {};
  for (const { provider, account } of wanted) {
    const answer = await callApi(hub, key, '/connections', {
      provider,
      account: { id: `${provider} ${account}`, label: account },
      credential: { access_token: randomUUID() },
    });
    if (answer.status !== 201) {
      throw new Error(`no connection: ${answer.status} ${await answer.text()}`);
    }
    ids[`${provider} ${account}`] = ((await answer.json()) as { id: string }).id;
  }
  return ids;
}

/** A function that reads the token of the only connection to `provider`. */
export async function tokenReader(hub: Hub, provider: string): Promise<() => Promise<Lent>> {
  const key = newKey(hub, 'connections:read,tokens:read');
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
