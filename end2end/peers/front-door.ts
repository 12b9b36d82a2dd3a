// A look-alike behind the addresses of the real thing.
//
// The look-alikes serve some calls under other paths than the providers do, and
// all of them under their own host. The front door listens on one address,
// answers to the provider's own paths, and passes everything on, so that the
// production catalog is tested with nothing but its hosts replaced.

import { createServer, request, type Server } from 'node:http';

/** A path of the provider, and what the look-alike calls it. */
export type Rewrite = [from: RegExp, to: string];

export class FrontDoor {
  /** Method and path of every request, as the provider would have seen it. */
  readonly calls: string[] = [];

  private constructor(
    readonly origin: string,
    private readonly server: Server,
  ) {}

  static async open(port: number, behind: number, rewrites: Rewrite[]): Promise<FrontDoor> {
    const server = createServer((incoming, outgoing) => {
      const url = incoming.url ?? '/';
      door.calls.push(`${incoming.method} ${url.split('?')[0]}`);
      const rewrite = rewrites.find(([from]) => from.test(url));
      const path = rewrite ? url.replace(...rewrite) : url;
      const { method, headers } = incoming;
      const passedOn = request({ host: '127.0.0.1', port: behind, method, path, headers }, (answer) => {
        const page = answer.headers['content-type']?.startsWith('text/html');
        // As Microsoft's and others' sign-in pages do: the window that opened
        // this one then reads it as closed.
        const coop = page ? { 'cross-origin-opener-policy': 'same-origin' } : {};
        outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...coop });
        answer.pipe(outgoing);
      });
      passedOn.on('error', (error) => outgoing.writeHead(502).end(error.message));
      incoming.pipe(passedOn);
    });
    const door = new FrontDoor(`http://localhost:${port}`, server);
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
    return door;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
