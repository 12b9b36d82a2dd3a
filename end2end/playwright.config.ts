// Which browsers, and which specs in which of them.
//
// Every spec runs in Chromium and in Firefox at desktop size, with JavaScript
// and without; one whose name ends in `.js.spec.ts` is about behaviour that
// needs JavaScript. What people do on a phone (`phone`) runs there too.
//
// Firefox is driven more slowly, so it is spared what it could not change: a
// test tagged `@once` tells the same story to the browser as another one beside
// it and differs in what servers do, and axe looks at one theme, for the
// colours are the same. Without scripts it is spared the look-alikes, whose
// pages are forms like those of the other providers.

import {
  defineConfig,
  type PlaywrightTestOptions,
  type PlaywrightWorkerOptions,
  type Project,
} from '@playwright/test';
import type { Options, WorkerOptions } from './support/test.ts';

type SuiteProject = Project<PlaywrightTestOptions & Options, PlaywrightWorkerOptions & WorkerOptions>;

const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 375, height: 700 }, hasTouch: true };

const browsers: Record<string, SuiteProject['use']> = {
  chromium: {
    browserName: 'chromium',
    launch: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
  // The build people install, driven by WebDriver BiDi; Playwright's own build
  // comes from no package registry.
  firefox: {
    browserName: 'firefox',
    channel: 'moz-firefox',
    launch: { executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr' },
    themes: ['light'],
  },
};

const projects = Object.entries(browsers).flatMap(([browser, use]) =>
  [true, false].flatMap((javaScriptEnabled): SuiteProject[] => {
    const name = javaScriptEnabled ? browser : `${browser}-no-js`;
    const testIgnore = javaScriptEnabled ? [] : ['**/*.js.spec.ts'];
    // Over BiDi, Firefox cannot be driven with JavaScript off: there our scripts
    // do not arrive instead.
    const without = browser === 'firefox' ? { withoutScripts: true } : { javaScriptEnabled: false };
    const own = { ...use, ...(javaScriptEnabled ? {} : without) };
    const spared = browser === 'firefox' ? { grepInvert: /@once/ } : {};
    if (browser === 'firefox' && !javaScriptEnabled) {
      testIgnore.push('**/look-alikes.spec.ts');
    }
    return [
      { name, testIgnore, ...spared, use: { ...own, ...desktop, opensWindows: javaScriptEnabled } },
      {
        name: `${name}-phone`,
        testIgnore,
        ...spared,
        testMatch: ['**/links.spec.ts', '**/newcomer.spec.ts', '**/notices.spec.ts', '**/pages.js.spec.ts'],
        use: { ...own, ...phone, opensWindows: false },
      },
    ];
  }),
);

export default defineConfig<Options, WorkerOptions>({
  testDir: 'specs',
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: Boolean(process.env.CI),
  reporter: process.env.CI ? [['dot'], ['html', { open: 'never' }]] : [['list']],
  // Whoever is asked over https is asked through our own proxy.
  use: { ignoreHTTPSErrors: true, actionTimeout: 10_000, navigationTimeout: 15_000, screenshot: 'only-on-failure', trace: { mode: 'retain-on-failure', screenshots: false } },
  projects,
});
