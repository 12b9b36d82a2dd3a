// A certificate authority for the servers of one worker.

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ELLIPTIC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];

/** Vouches for servers under these names, and for nothing else. */
export class Authority {
  private constructor(
    private readonly directory: string,
    /** Its own certificate. */
    readonly pem: string,
  ) {}

  static async make(names: string): Promise<Authority> {
    const directory = await mkdtemp(join(tmpdir(), 'linkwell-authority-'));
    const at = (name: string) => join(directory, name);
    await run('openssl', [
      ...['req', '-x509', ...ELLIPTIC, '-subj', '/CN=Linkwell tests', '-keyout', at('ca.key'), '-out', at('ca.pem')],
      ...['-addext', 'keyUsage=critical,keyCertSign'],
    ]);
    await run('openssl', [
      ...['req', '-x509', ...ELLIPTIC, '-subj', '/CN=localhost', '-keyout', at('key'), '-out', at('certificate')],
      ...['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', `subjectAltName=${names}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    ]);
    await Promise.all(['', 'key', 'certificate', 'ca.pem'].map((name) => chmod(at(name), name ? 0o644 : 0o755)));
    return new Authority(directory, await readFile(at('ca.pem'), 'utf8'));
  }

  /** A server's certificate and key, PEM. */
  async certified(): Promise<{ certificate: string; key: string }> {
    const read = (name: string) => readFile(join(this.directory, name), 'utf8');
    return { certificate: await read('certificate'), key: await read('key') };
  }

  /** A file with this authority's certificate and another's. */
  async beside(other: string): Promise<string> {
    const both = join(this.directory, 'both.pem');
    await writeFile(both, `${await readFile(other, 'utf8')}\n${this.pem}`);
    return both;
  }

  async close(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }
}
