/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['**/tests/**/*.test.ts', '<rootDir>/e2e/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } },
    ],
  },
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'require', 'default'] },
  globalSetup: '<rootDir>/tools/services/jest-setup.ts',
  globalTeardown: '<rootDir>/tools/services/jest-teardown.ts',
  maxWorkers: 2,
  // Bounds what hangs, on machines with much else to do as well.
  testTimeout: 60_000,
};
