// The hub's own database, as only an operator could reach it: time that would have
// to pass, and a database that takes nothing.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from '@playwright/test';
import { PYTHON } from '../peers/services.ts';
import type { Hub } from './hub.ts';

const CHANGE = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=20) as db: db.execute(sys.argv[2])
`;

const LOCK = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()
`;

const file = (hub: Hub) => join(hub.data, 'linkwell.db');

/** Changes rows. */
export function change(hub: Hub, sql: string): void {
  const done = spawnSync(PYTHON, ['-c', CHANGE, file(hub), sql], { encoding: 'utf8' });
  expect(done.stderr).toBe('');
}

/** Lets nobody else write until the answered function is called. */
export async function lock(hub: Hub): Promise<() => Promise<void>> {
  const holder = spawn(PYTHON, ['-c', LOCK, file(hub)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return async () => {
    holder.stdin.end();
    await once(holder, 'exit');
  };
}
