// The Internet, as far as a hub and a browser under test can see it: an HTTPS
// proxy with a certificate authority of its own. It leads the addresses of
// providers to look-alikes on this machine and refuses all others, so that the
// production catalog is tested as it ships and no request leaves the machine.

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Installed by `cargo xtask test`, unless the environment knows another. */
const MITMDUMP =
  process.env.MITMDUMP ?? join(import.meta.dirname, '../../target/python/mitmproxy/bin/mitmdump');

/** Where requests lead that begin with an https address; the first that fits counts. */
export interface Route {
  host: string;
  /** The beginning of the path, as a regular expression without `@`. */
  path: string;
  /** What takes the place of all that; `\1` is a group of `path`. */
  to: string;
}

export class Internet {
  private constructor(
    private readonly proxy: ChildProcess,
    private readonly directory: string,
    /** The proxy's address. */
    readonly address: string,
  ) {}

  static async open(routes: Route[]): Promise<Internet> {
    const directory = await mkdtemp(join(tmpdir(), 'linkwell-internet-'));
    const proxy = spawn(MITMDUMP, options(directory, routes), { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      return new Internet(proxy, directory, await listening(proxy));
    } catch (error) {
      await rm(directory, { recursive: true });
      throw error;
    }
  }

  /** The certificate of the authority that vouches for every host there is. */
  get authority(): string {
    return join(this.directory, 'mitmproxy-ca-cert.pem');
  }

  async close(): Promise<void> {
    const ended = new Promise((exit) => this.proxy.once('exit', exit));
    if (this.proxy.exitCode === null) {
      // It has nothing to save, and asked kindly it complains of open connections.
      this.proxy.kill('SIGKILL');
      await ended;
    }
    await rm(this.directory, { recursive: true });
  }
}

function options(directory: string, routes: Route[]): string[] {
  // Filters take the backslash for their own.
  const literal = (host: string) => host.replaceAll('.', '[.]');
  const hosts = [...new Set(routes.map(({ host }) => literal(host)))];
  const settings = {
    confdir: directory,
    flow_detail: '0',
    onboarding: 'false',
    // It never speaks to the real host, not even to copy its certificate.
    connection_strategy: 'lazy',
    upstream_cert: 'false',
    block_list: `@!(~u "^https://(${hosts.join('|')})/")@403`,
    // As Microsoft's and others' sign-in pages do: the window that opened this
    // one then reads it as closed.
    modify_headers: '/~s & ~t "^text.html"/cross-origin-opener-policy/same-origin',
  };
  return [
    ...['--listen-host', '127.0.0.1', '--listen-port', '0'],
    ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ...routes.flatMap(({ host, path, to }) => ['--map-remote', `@^https://${literal(host)}${path}@${to}`]),
  ];
}

/** Waits until the proxy says where it listens. */
async function listening(proxy: ChildProcess): Promise<string> {
  const failed = new Promise<never>((_, fail) => {
    proxy.once('error', fail);
    proxy.once('exit', (code) => fail(new Error(`${MITMDUMP} ended with ${code}`)));
  });
  const said = createInterface({ input: proxy.stdout! });
  const found = new Promise<string>((listens) => {
    // It keeps telling of connections, which nobody reads; the pipe must not fill.
    said.on('line', (line) => {
      const at = /proxy listening at (127\.0\.0\.1:\d+)/.exec(line);
      if (at) listens(`http://${at[1]}`);
    });
  });
  return Promise.race([found, failed]);
}
