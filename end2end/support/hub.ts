// One hub: the real program, on its own data.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ProviderApp } from '../peers/index.ts';
import type { Internet } from '../peers/internet.ts';
import { Sandbox } from './sandbox.ts';

const PROGRAM = process.env.LINKWELL_BIN ?? join(import.meta.dirname, '../../target/debug/linkwell');
const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 10_000;

/** Where a hub listens, what it is told about providers, and how it reaches them. */
export interface Site {
  port: number;
  sandboxPort: number;
  catalog: string;
  internet: Pick<Internet, 'address' | 'authority'>;
  /** The mail server, where there is one. */
  mail?: string;
}

export class Hub {
  readonly url: string;
  readonly sandbox: Sandbox;
  private process?: ChildProcess;
  private said = '';
  private readonly allowed: RegExp[] = [];

  private constructor(
    private readonly site: Site,
    private readonly apps: Record<string, ProviderApp>,
    readonly data: string,
  ) {
    this.url = `http://127.0.0.1:${site.port}`;
    this.sandbox = new Sandbox(`http://127.0.0.1:${site.sandboxPort}`);
  }

  /** Starts a hub that knows nobody yet; `apps` come from its environment. */
  static async start(site: Site, apps: Record<string, ProviderApp>): Promise<Hub> {
    const hub = new Hub(site, apps, await mkdtemp(join(tmpdir(), 'linkwell-')));
    await hub.run();
    return hub;
  }

  /** Everything the program has written so far. */
  get log(): string {
    return this.said;
  }

  /** Errors that a test causes on purpose, such as by locking the database. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  /** The errors it logged that nobody expected. */
  get errors(): string[] {
    const lines = this.said.split('\n').filter((line) => /\bERROR\b|panicked/.test(line));
    return lines.filter((line) => !this.allowed.some((pattern) => pattern.test(line)));
  }

  /** Starts the program on the same data, the first time or again. */
  async run(): Promise<void> {
    const { port, sandboxPort } = this.site;
    const flags = ['serve', '--sandbox', '--listen', `127.0.0.1:${port}`];
    const child = spawn(PROGRAM, [...flags, '--sandbox-listen', `127.0.0.1:${sandboxPort}`], {
      env: this.environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    }
    child.on('error', (error) => (this.said += `${PROGRAM}: ${error.message}`));
    const giveUpAt = Date.now() + START_WITHIN_MS;
    while (!(await this.isReady())) {
      if (child.exitCode !== null || Date.now() > giveUpAt) {
        throw new Error(`the hub did not start:\n${this.said}`);
      }
      await wait(25);
    }
  }

  private async isReady(): Promise<boolean> {
    const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  }

  /** Asks the program to stop; it has to, in time and with success. */
  async stop(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null) {
      return;
    }
    const ended = new Promise<number | null>((exit) => child.once('exit', exit));
    child.kill('SIGTERM');
    const code = await Promise.race([ended, wait(STOP_WITHIN_MS, 'late' as const, { ref: false })]);
    if (code !== 0) {
      child.kill('SIGKILL');
      throw new Error(`the hub did not stop as asked (${code}):\n${this.said}`);
    }
  }

  /** Stops the program and forgets its data. */
  async discard(): Promise<void> {
    try {
      await this.stop();
    } finally {
      await rm(this.data, { recursive: true, force: true });
    }
  }

  /** Runs another command of the program on the same data; what it prints. */
  command(args: string[], input = ''): string {
    const done = spawnSync(PROGRAM, args, { env: this.environment(), input, encoding: 'utf8' });
    if (done.status !== 0) {
      throw new Error(`linkwell ${args.join(' ')}:\n${done.stderr}`);
    }
    return done.stdout.trim();
  }

  private environment(): NodeJS.ProcessEnv {
    const given = Object.entries(this.apps).flatMap(([id, { clientId, clientSecret }]) => {
      const name = `LINKWELL_PROVIDER_${id.toUpperCase().replaceAll('-', '_')}`;
      return [
        [`${name}_CLIENT_ID`, clientId],
        [`${name}_CLIENT_SECRET`, clientSecret],
      ];
    });
    return {
      PATH: process.env.PATH,
      NO_COLOR: '1',
      LINKWELL_DATA: this.data,
      LINKWELL_CATALOG: this.site.catalog,
      LINKWELL_OUTBOUND_ALLOW: '127.0.0.0/8,::1/128',
      LINKWELL_OUTBOUND_PROXY: this.site.internet.address,
      SSL_CERT_FILE: this.site.internet.authority,
      ...(this.site.mail && {
        LINKWELL_SMTP_URL: this.site.mail,
        LINKWELL_MAIL_FROM: 'Linkwell <linkwell@hub.example>',
      }),
      ...Object.fromEntries(given),
    };
  }
}
