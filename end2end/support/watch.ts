// What must not happen on any page of ours, whatever a test is about.

import type { BrowserContext } from '@playwright/test';

/** Watches every page of a browser for what a person would not see. */
export class Watch {
  /** Complaints of the browser about pages of ours. */
  readonly complaints: string[] = [];
  /** Requests that pages of ours made to anybody else. */
  readonly strangers: string[] = [];
  private readonly allowed: RegExp[] = [];

  constructor(
    private readonly context: BrowserContext,
    private readonly origin: string,
  ) {}

  /** Complaints that a test causes on purpose, such as by stopping the hub. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  start(): void {
    this.context.on('console', (message) => {
      const from = message.location().url || message.page()?.url() || '';
      if (['error', 'warning'].includes(message.type()) && this.isOurs(from)) {
        this.complain(`${message.type()} on ${from}: ${message.text()}`);
      }
    });
    this.context.on('weberror', (error) => {
      if (this.isOurs(error.page()?.url() ?? '')) {
        this.complain(`uncaught on ${error.page()?.url()}: ${error.error()}`);
      }
    });
    // To go elsewhere is no stranger's business: that is how people get to providers.
    this.context.on('request', (request) => {
      const asked = request.url();
      if (request.isNavigationRequest() || this.isOurs(asked) || !/^(http|ws)/.test(asked)) {
        return;
      }
      // A window may still bear our address while the provider's page in it
      // already asks its own server.
      const itsOwn = request.headers()['sec-fetch-site'] === 'same-origin';
      if (itsOwn || new URL(asked).hostname === 'localhost') {
        return;
      }
      const page = request.frame().page().url();
      if (this.isOurs(page)) {
        this.strangers.push(`${page} asked ${asked}`);
      }
    });
  }

  private complain(complaint: string): void {
    if (!this.allowed.some((pattern) => pattern.test(complaint))) {
      this.complaints.push(complaint);
    }
  }

  private isOurs(url: string): boolean {
    return url.startsWith(this.origin);
  }
}
