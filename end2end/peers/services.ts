// Real databases, mail servers and object storage, each on a port of its own.
// The databases have certificates for `localhost`, not for `127.0.0.1`, by an
// authority that a person has to enter; the others by one that the hub knows.

import { readFile } from 'node:fs/promises';
import { createServer, type Server as Https } from 'node:https';
import { join } from 'node:path';
import { Authority } from './authority.ts';
import { freePort } from './ports.ts';
import { Directory, Server } from './server.ts';

/** The one login, everywhere. */
export const LOGIN = { user: 'linkwell', password: 'correct-horse-7-battery' };
/** What the REST server wants. */
export const REST = { key: 'Bearer right-3f9a1c7e5b2d4860', account: '7701' };

export const PYTHON = process.env.SERVICES_PYTHON ?? join(import.meta.dirname, '../../target/python/services/bin/python');

const ORDERS = `CREATE TABLE orders (id int, customer varchar(40), placed varchar(20), nothing varchar(10));
INSERT INTO orders VALUES (1, 'Ana <b>Alder</b>', '2026-11-20', NULL), (1, 'Bo', '0000-00-00', NULL);
CREATE TABLE stock (sku varchar(10), pieces int);
INSERT INTO stock VALUES ('kettle', 12);
`;

async function postgres(authority: Authority): Promise<Server> {
  const directory = await Directory.make();
  const data = directory.at('data');
  directory.run(['initdb', '--pgdata', data, '--username=admin', '--auth=trust', '--no-locale', '--encoding=UTF8', '--no-sync']);
  const single = (database: string, statements: string) =>
    directory.run(['postgres', '--single', '-j', '-D', data, database], statements.replaceAll(';\n', ';\n\n'));
  single('postgres', 'CREATE DATABASE shop;\n');
  single('postgres', `CREATE ROLE ${LOGIN.user} LOGIN PASSWORD '${LOGIN.password}';\n`);
  single('shop', `${ORDERS}GRANT SELECT ON orders, stock TO ${LOGIN.user};\n`);
  const { certificate, key } = await authority.certified();
  const settings = [
    'fsync=off',
    'unix_socket_directories=',
    'ssl=on',
    `ssl_cert_file=${await directory.write('certificate', certificate)}`,
    `ssl_key_file=${await directory.write('key', key)}`,
    `hba_file=${await directory.write('access', 'host all all all scram-sha-256\n')}`,
  ];
  return Server.start(directory, (port) => [
    ...['postgres', '-D', data, '-h', '127.0.0.1', '-p', `${port}`],
    ...settings.flatMap((setting) => ['-c', setting]),
  ]);
}

async function mariadb(authority: Authority): Promise<Server> {
  const directory = await Directory.make();
  const data = directory.at('data');
  directory.run(['mariadb-install-db', '--no-defaults', '--skip-test-db', '--auth-root-authentication-method=normal', `--datadir=${data}`]);
  const setup = await directory.write(
    'setup',
    `CREATE DATABASE shop;\nUSE shop;\n${ORDERS}CREATE USER ${LOGIN.user} IDENTIFIED BY '${LOGIN.password}';\nGRANT SELECT ON shop.* TO ${LOGIN.user};\n`,
  );
  const { certificate, key } = await authority.certified();
  const settings = {
    datadir: data,
    socket: directory.at('socket'),
    'pid-file': directory.at('pid'),
    'init-file': setup,
    'ssl-cert': await directory.write('certificate', certificate),
    'ssl-key': await directory.write('key', key),
  };
  return Server.start(directory, (port) => [
    ...['mariadbd', '--no-defaults', '--bind-address=127.0.0.1', `--port=${port}`],
    ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
  ]);
}

async function redis(authority: Authority): Promise<Server> {
  const directory = await Directory.make();
  const { certificate, key } = await authority.certified();
  const [cert, keyFile, ca] = [
    await directory.write('certificate', certificate),
    await directory.write('key', key),
    await directory.write('ca', authority.pem),
  ];
  const users = await directory.write('users', `user default off\nuser ${LOGIN.user} on >${LOGIN.password} ~* &* +@all\n`);
  return Server.start(directory, (port) => [
    ...['redis-server', '--port', '0', '--tls-port', `${port}`, '--bind', '127.0.0.1', '--save', ''],
    ...['--tls-cert-file', cert, '--tls-key-file', keyFile, '--tls-ca-cert-file', ca, '--tls-auth-clients', 'no'],
    ...['--aclfile', users, '--dir', directory.path],
  ]);
}

async function imap(authority: Authority): Promise<Server> {
  const directory = await Directory.make();
  const { certificate, key } = await authority.certified();
  const [cert, keyFile, users] = [
    await directory.write('certificate', certificate),
    await directory.write('key', key),
    await directory.write('people', `${LOGIN.user}:${LOGIN.password}::::::\n`),
  ];
  const letter = 'From ana@example.com Fri Nov 20 10:00:00 2026\nDate: Fri, 20 Nov 2026 10:00:00 +0000\n'
    + 'From: Ana <ana@example.com>\nSubject: The order of the kettle\n\nHello\n\n';
  const inbox = await directory.write('inbox', letter);
  const at = directory.path;
  return Server.start(directory, async (port) => {
    const settings = `protocols = imap
listen = 127.0.0.1
base_dir = ${at}/run
state_dir = ${at}/state
log_path = ${at}/log
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = ${port}
    ssl = yes
  }
}
ssl = required
ssl_cert = <${cert}
ssl_key = <${keyFile}
mail_location = mbox:${at}/folders:INBOX=${inbox}
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${users}
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=${at}/home
}
`;
    return ['dovecot', '-F', '-c', await directory.write('dovecot.conf', settings)];
  });
}

/** Runs one of our few lines around a server written in Python. */
export async function python(authority: Authority, script: string, ...further: string[]): Promise<Server> {
  const directory = await Directory.make();
  const { certificate, key } = await authority.certified();
  const files = [await directory.write('certificate', certificate), await directory.write('key', key)];
  const source = await readFile(join(import.meta.dirname, 'python', script), 'utf8');
  const file = await directory.write(script, source);
  // Its packages may well be where only we can read.
  return Server.start(directory, (port) => [PYTHON, file, `${port}`, ...files, ...further], 'us');
}

/** What the storage made for whoever set it up. */
export interface Bucket {
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** A REST API that answers only to its key, its account's header and a POST. */
async function rest(authority: Authority): Promise<{ server: Https; port: number }> {
  const { certificate: cert, key } = await authority.certified();
  const server = createServer({ cert, key }, (request, answer) => {
    const { authorization, 'x-account': account } = request.headers;
    const isRight = authorization === REST.key && account === REST.account && request.method === 'POST';
    const status = isRight ? 201 : 401;
    const body = isRight ? { data: { items: [{ id: 1, name: 'Kettle' }] } } : { message: `no key for ${account}` };
    answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  const port = await freePort();
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return { server, port };
}

export class Services {
  private constructor(
    /** Vouches for the databases, and nobody knows it. */
    readonly own: Authority,
    private readonly servers: Record<'postgres' | 'mariadb' | 'redis' | 'imap' | 'smtp' | 's3', Server>,
    readonly bucket: Bucket,
    private readonly api: { server: Https; port: number },
  ) {}

  static async start(authority: Authority): Promise<Services> {
    const own = await Authority.make('DNS:localhost');
    const [pg, maria, cache, mailbox, outbox, storage, api] = await Promise.all([
      postgres(own),
      mariadb(own),
      redis(authority),
      imap(authority),
      python(authority, 'smtp.py', LOGIN.user, LOGIN.password),
      python(authority, 's3.py'),
      rest(authority),
    ]);
    const bucket = JSON.parse(await storage.read('bucket.json')) as Bucket;
    return new Services(own, { postgres: pg, mariadb: maria, redis: cache, imap: mailbox, smtp: outbox, s3: storage }, bucket, api);
  }

  port(of: 'postgres' | 'mariadb' | 'redis' | 'imap' | 'smtp'): string {
    return `${this.servers[of].port}`;
  }

  /** Where the REST server is. */
  get rest(): string {
    return `https://localhost:${this.api.port}`;
  }

  async close(): Promise<void> {
    this.api.server.closeAllConnections();
    await new Promise((closed) => this.api.server.close(closed));
    await Promise.all(Object.values(this.servers).map((server) => server.stop()));
    await this.own.close();
  }
}
