// The production entries of the catalog, against look-alikes of the providers
// they are for.

import { expect, test } from '../support/test.ts';
import { connectButton, leave, open, row, search } from '../support/people.ts';
import { tokenReader } from '../support/host.ts';

const PLAYED = [
  { id: 'google-gmail', provider: 'Gmail', pick: /mia@alder\.example/, account: 'mia@alder.example' },
  { id: 'github', provider: 'GitHub', pick: /mia-alder/, account: 'mia-alder', tag: '@once' },
  { id: 'slack', provider: 'Slack', pick: /mia/, account: 'Alder & Ash', tag: '@once' },
  {
    id: 'microsoft',
    provider: 'Microsoft 365',
    pick: /mia@alder\.example/,
    account: 'mia@alder.example',
    tag: '@once',
  },
];

for (const { id, provider, pick, account, tag = [] } of PLAYED) {
  test(`${provider}: connected, named after the account, lent, disconnected`, { tag }, async ({
    page,
    hub,
    owner: _,
    opensWindows,
  }) => {
    const name = `${provider} ${account}`;
    await search(page, provider);
    const picker = await leave(page, connectButton(page, provider), opensWindows);
    await picker.getByRole('button', { name: pick }).click();
    await expect(row(page, name)).toContainText('Connected');

    const lent = await (await tokenReader(hub, id))();
    expect(lent.account.label).toBe(account);

    await open(page, name);
    await expect(page.getByRole('region', { name: 'What it may do' })).not.toContainText('Missing');
    await page.getByRole('main').getByRole('link', { name: 'Disconnect' }).click();
    await page.getByRole('button', { name: `Disconnect ${provider}` }).click();
    await expect(page.getByText(/^Disconnected/).first()).toBeVisible();
  });
}

test('two accounts of one provider are two connections', async ({ page, owner: _, opensWindows }) => {
  await page.goto('/');
  for (const [button, account] of [
    ['Connect', 'mia@alder.example'],
    ['Add another', 'jonas@alder.example'],
  ] as const) {
    const press = page.getByRole('button', { name: new RegExp(`^${button} Gmail`) });
    const picker = await leave(page, press, opensWindows);
    await picker.getByRole('button', { name: new RegExp(account) }).click();
    await expect(row(page, `Gmail ${account}`)).toContainText('Connected');
    await page.goto('/');
  }
  await expect(row(page, 'Gmail mia@alder.example')).toBeVisible();
});
