// The pictures of the README, taken on demand: `npm run screenshots`.

import { defineConfig } from '@playwright/test';
import suite from './playwright.config.ts';

export default defineConfig({
  ...suite,
  testDir: 'screenshots',
  testMatch: '*.ts',
  projects: suite.projects!.filter(({ name }) => name === 'chromium'),
});
