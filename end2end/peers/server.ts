// A real server: a program that nobody here wrote, with files of its own.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from './ports.ts';

/** `nobody` on every Linux distribution; several servers refuse to run as root. */
const NOBODY = 65_534;
const START_WITHIN_MS = 60_000;
const isRoot = process.getuid?.() === 0;

/** Looks a program up; Debian keeps servers where only root looks. */
function find(program: string): string {
  const places = [process.env.LINKWELL_TEST_SERVICES ?? '', ...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  const found = places.map((place) => join(place, program)).find((path) => existsSync(path));
  if (!found) {
    throw new Error(`${program} was not found: \`cargo xtask test --only e2e\` brings it`);
  }
  return found;
}

/** A command that ends with this process; `as` is who runs it. */
function started(command: string[], as: 'nobody' | 'us'): string[] {
  const [program = '', ...rest] = command;
  const who = isRoot && as === 'nobody' ? [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
  return ['setpriv', '--pdeathsig=KILL', ...who, program.startsWith('/') ? program : find(program), ...rest];
}

/** A directory that an unprivileged server may use. */
export class Directory {
  private constructor(readonly path: string) {}

  static async make(): Promise<Directory> {
    const directory = new Directory(await mkdtemp(join(tmpdir(), 'linkwell-service-')));
    await directory.handOver(directory.path);
    return directory;
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** A file that only the server may read. */
  async write(name: string, text: string): Promise<string> {
    await writeFile(this.at(name), text);
    await chmod(this.at(name), 0o600);
    await this.handOver(this.at(name));
    return this.at(name);
  }

  private async handOver(path: string): Promise<void> {
    if (isRoot) await chown(path, NOBODY, NOBODY);
  }

  /** Runs a program to its end. */
  run(command: string[], input = ''): void {
    const [program = '', ...rest] = started(command, 'nobody');
    const done = spawnSync(program, rest, { input, encoding: 'utf8', cwd: this.path });
    if (done.status !== 0) {
      throw new Error(`${command.join(' ')}:\n${done.stderr}`);
    }
  }
}

export class Server {
  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: Directory,
    readonly port: number,
  ) {}

  /** Starts what `command` makes of a free port, and waits until it listens. */
  static async start(
    directory: Directory,
    command: (port: number) => string[] | Promise<string[]>,
    as: 'nobody' | 'us' = 'nobody',
  ): Promise<Server> {
    const port = await freePort();
    const [program = '', ...rest] = started(await command(port), as);
    const child = spawn(program, rest, {
      cwd: directory.path,
      env: { PATH: process.env.PATH, HOME: directory.path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => (said += text));
    }
    const server = new Server(child, directory, port);
    const giveUpAt = Date.now() + START_WITHIN_MS;
    while (!(await listens(port))) {
      if (child.exitCode !== null || Date.now() > giveUpAt) {
        const log = await readFile(directory.at('log'), 'utf8').catch(() => '');
        throw new Error(`${program} ${rest.join(' ')} did not start:\n${said}${log}`);
      }
      await wait(30);
    }
    return server;
  }

  /** A file that the server wrote. */
  read(name: string): Promise<string> {
    return readFile(this.directory.at(name), 'utf8');
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      const ended = new Promise((exit) => this.process.once('exit', exit));
      this.process.kill('SIGKILL');
      await ended;
    }
    await rm(this.directory.path, { recursive: true, force: true, maxRetries: 5 });
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => answer(!!socket.destroy()));
    socket.once('error', () => answer(false));
  });
}
