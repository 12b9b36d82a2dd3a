// Ports for the servers of one worker, all on the loopback interface.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below what systems hand out to whoever calls out: those would take a port between two hubs. */
const [FIRST, LAST] = [12_000, 32_000];

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST);
    const probe = createServer();
    const isFree = await new Promise<boolean>((answer) => {
      probe.once('error', () => answer(false));
      probe.listen(port, '127.0.0.1', () => answer(true));
    });
    if (isFree) {
      await new Promise((closed) => probe.close(closed));
      return port;
    }
  }
}
