import { readFileSync } from 'node:fs';

// @swc/jest and swc-node look .swcrc up from the current folder; reading it here makes every call see the same one.
const swc = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));

export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { globalsCleanup: 'on' },
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/workflows', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: { '^.+\\.tsx?$': ['@swc/jest', { ...swc, swcrc: false }] },
  maxWorkers: 2,
  workerIdleMemoryLimit: '512MB',
  coverageProvider: 'babel',
};
