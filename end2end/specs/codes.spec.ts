// Every failure a provider can cause while a connection is kept, caused by the sandbox:
// what is said, the one button, the same words for a host application, and how it goes
// away by itself in every tab once it is mended.

import type { Page } from '@playwright/test';
import { expect, test } from '../support/test.ts';
import { alive, check, connectSandbox, open, row } from '../support/people.ts';
import { callApi, newKey } from '../support/host.ts';
import type { Fault } from '../support/sandbox.ts';

const SHOP = 'Sandbox Shop Maple & Co.';

const refuse = (error: string): Fault => ({ kind: { refuse: { error } }, at: ['api'] });

/** What breaks, the code it is, the status, what is said first, and the one button. */
const CODES: { fault: Fault; code: string; status: string; what: RegExp; button?: RegExp | string }[] = [
  {
    fault: refuse('session_expired'),
    code: 'SESSION_EXPIRED',
    status: 'Action needed',
    what: /^Sandbox Shop ended our session on /,
    button: /^Sign in to Sandbox Shop again/,
  },
  {
    fault: refuse('confirmation_required'),
    code: 'MFA_OR_CHALLENGE_REQUIRED',
    status: 'Action needed',
    what: /^Sandbox Shop wants an extra confirmation/,
    button: /^Continue at Sandbox Shop/,
  },
  {
    fault: refuse('suspicious_sign_in'),
    code: 'CHECKPOINT_OR_SUSPICIOUS_LOGIN',
    status: 'Action needed',
    what: /^Sandbox Shop stopped the sign-in to protect your account/,
    button: 'Confirm at Sandbox Shop',
  },
  {
    fault: refuse('session_incomplete'),
    code: 'PROFILE_COOKIE_MISSING',
    status: 'Action needed',
    what: /^The imported browser session is incomplete/,
    button: /^Sign in to Sandbox Shop here/,
  },
  {
    fault: refuse('page_changed'),
    code: 'CONNECTOR_AUTH_SELECTOR_CHANGED',
    status: 'Retrying',
    what: /^We no longer recognise the sign-in page of Sandbox Shop/,
  },
  {
    fault: { kind: 'cut_connection', at: ['api'] },
    code: 'NETWORK_OR_TIMEOUT',
    status: 'Retrying',
    what: /^Sandbox Shop did not answer/,
  },
  {
    fault: refuse('key_rejected'),
    code: 'CREDENTIALS_REJECTED',
    status: 'Action needed',
    what: /^Sandbox Shop rejected the key or password/,
    button: /Enter/,
  },
  {
    fault: refuse('insufficient_scope'),
    code: 'PERMISSION_MISSING',
    status: 'Action needed',
    what: /permission/,
    button: /^Add permission/,
  },
  {
    fault: refuse('approval_required'),
    code: 'ADMIN_APPROVAL_REQUIRED',
    status: 'Waiting for admin',
    what: /allow/,
    button: /^Send request to admin/,
  },
  {
    fault: { kind: { server_error: { status: 503 } }, at: ['api'] },
    code: 'PROVIDER_LIMITED_OR_DOWN',
    status: 'Retrying',
    what: /^Sandbox Shop is limiting or not working right now/,
  },
  {
    fault: { kind: { rate_limit: { retry_after: { seconds: 1200 } } }, at: ['api'] },
    code: 'PROVIDER_LIMITED_OR_DOWN',
    status: 'Retrying',
    what: /^Sandbox Shop asked us to slow down/,
  },
  {
    fault: refuse('account_frozen'),
    code: 'REFUSED_BY_PROVIDER',
    status: 'Action needed',
    what: /^Sandbox Shop refuses this account/,
    button: 'Open Sandbox Shop',
  },
  {
    fault: refuse('unheard_of'),
    code: 'HUB_INTERNAL',
    status: 'Retrying',
    what: /^Something went wrong on our side/,
  },
];

const prompt = (page: Page) => page.getByRole('region', { name: 'What to do' });

test('every code a provider can cause says what, why and the one thing to do, and is withdrawn', async ({
  page,
  hub,
  owner: _,
  opensWindows,
}) => {
  test.slow();
  await connectSandbox(page, opensWindows);
  const key = newKey(hub, 'connections:read');
  const second = await page.context().newPage();
  await second.goto('/');
  await open(page, SHOP);
  const id = new URL(page.url()).pathname.split('/').pop()!;
  if (opensWindows) {
    await alive(page, 2);
  }
  /** The other tab hears of it; without scripts it is read again. */
  const elsewhere = async (status: string) => {
    if (!opensWindows) {
      await second.reload();
    }
    await expect(row(second, SHOP)).toContainText(status);
  };
  for (const { fault, code, status, what, button } of CODES) {
    await test.step(code, async () => {
      await hub.sandbox.breakWith(fault);
      await check(page);
      const shown = prompt(page);
      await expect(shown).toContainText(what);
      await expect(page.getByRole('main').locator('header .status')).toContainText(status);
      await elsewhere(status);
      const buttons = shown.locator('button, a.btn').filter({ visible: true });
      await expect(buttons).toHaveCount(button ? 1 : 0);
      if (button) {
        await expect(buttons).toContainText(button);
      }
      // A host application is told the same, in the same words.
      const told = await (await callApi(hub, key, `/connections/${id}`)).json();
      expect(told.code).toBe(code);
      for (const line of [told.prompt.what, told.prompt.why, told.prompt.effect].filter(Boolean)) {
        await expect(shown).toContainText(line);
      }

      await hub.sandbox.heal();
      await check(page);
      await expect(shown).toHaveCount(0);
      await elsewhere('Connected');
    });
  }
});
