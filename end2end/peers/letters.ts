// A real mail server, and the letters that it took.

import type { Authority } from './authority.ts';
import type { Server } from './server.ts';
import { LOGIN, python } from './services.ts';

/** A letter, decoded by the mail server's own library. */
export interface Letter {
  to: string[];
  subject: string;
  choices: string;
  text: string;
  html: string;
}

export class Letters {
  private constructor(private readonly server: Server) {}

  static async start(authority: Authority): Promise<Letters> {
    return new Letters(await python(authority, 'smtp.py', LOGIN.user, LOGIN.password));
  }

  /** What the program is told: it signs in, over an encrypted connection only. */
  get url(): string {
    return `smtp://${LOGIN.user}:${LOGIN.password}@localhost:${this.server.port}?tls=required`;
  }

  /** Everything that was taken, oldest first. */
  async all(): Promise<Letter[]> {
    const lines = await this.server.read('letters').catch(() => '');
    return lines.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Letter);
  }

  close(): Promise<void> {
    return this.server.stop();
  }
}
