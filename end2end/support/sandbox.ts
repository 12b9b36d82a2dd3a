// The control API of the sandbox shop.

/** What the shop counts; there is more, see its documentation. */
export interface Calls {
  authorize: number;
  code_exchanges_ok: number;
}

/** One way to misbehave, as the control API reads it. */
export interface Fault {
  kind: string | Record<string, unknown>;
  at?: ('authorize' | 'token' | 'refresh' | 'revoke' | 'api')[];
  times?: number;
}

/** The accounts of the shop. */
export const MAPLE = { id: 'acc_maple', name: 'Maple & Co.', email: 'maple@shop.test' };
export const HARBOUR = { id: 'acc_harbour', name: 'Harbour Books', email: 'harbour@shop.test' };

export class Sandbox {
  constructor(private readonly origin: string) {}

  /** Only these faults from now on. */
  async breakWith(...faults: Fault[]): Promise<void> {
    await this.send('PUT', 'faults', faults);
  }

  async heal(): Promise<void> {
    await this.breakWith();
  }

  /** How the shop works from now on, where it is not as usual. */
  async rule(rules: { access_lifetime_s?: number }): Promise<void> {
    await this.send('PUT', 'rules', rules);
  }

  /** Ends every grant, as if each person had removed the app. */
  async revokeAll(): Promise<void> {
    await this.send('POST', 'revoke-all');
  }

  async calls(): Promise<Calls> {
    return (await this.send('GET', 'calls')) as Calls;
  }

  /** How many grants are alive. */
  async grants(): Promise<number> {
    return (await this.accounts()).length;
  }

  /** The account of each grant that is alive. */
  async accounts(): Promise<string[]> {
    const grants = (await this.send('GET', 'grants')) as { account: string }[];
    return grants.map(({ account }) => account);
  }

  private async send(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${this.origin}/control/${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) {
      throw new Error(`the sandbox refused ${method} ${path}: ${await answer.text()}`);
    }
    return answer.json();
  }
}
