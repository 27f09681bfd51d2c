import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Forbids the imports that would bend the straight line from request to document. */
function forbid(...rules) {
  const patterns = rules.map(([regex, message]) => ({ regex, message }));
  return { 'no-restricted-imports': ['error', { patterns }] };
}
const anyWorkspace = ['^@event-tracker/', 'shared imports no other workspace.'];
const anyApi = ['^@event-tracker/api', 'Only local/, tools/ and e2e/ may import the API.'];
const anyOther = [
  '^@event-tracker/|^(\\.\\./)+(api|consumer|shared|dashboard)/',
  'The tracker depends on nothing here.',
];
const databaseClient = [
  '^(mongoose|mongodb|pg|mysql2)($|/)',
  'The API never touches a database client; reads go through the store.',
];

export default defineConfig(
  { ignores: ['**/dist/', '**/node_modules/', 'coverage/', '.data/'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './tracker/tsconfig.json', './dashboard/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // A blank text is the same as none wherever it comes from the environment or a header.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Environment variables are read in config.ts only.' },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: false }],
      'max-lines-per-function': ['error', { max: 70 }],
      eqeqeq: 'error',
    },
  },
  { files: ['shared/**/*.ts'], rules: forbid(anyWorkspace) },
  { files: ['tracker/src/**/*.{ts,tsx}'], rules: forbid(anyOther) },
  {
    files: ['dashboard/src/**/*.{ts,tsx}'],
    rules: forbid([
      '^@event-tracker/(?!tracker)',
      'The page knows the API by its routes only, and the tracker.',
    ]),
  },
  {
    files: ['consumer/**/*.ts'],
    rules: forbid(anyApi),
  },
  {
    files: ['api/**/*.ts'],
    rules: forbid(databaseClient, [
      '^@event-tracker/consumer/(?!store/)',
      'The API may use the store of the consumer, nothing else of it.',
    ]),
  },
  {
    files: ['api/services/**/*.ts'],
    rules: forbid(
      databaseClient,
      ['^express($|/)', 'Services never see req or res.'],
      ['/controllers/|/routes/|/middlewares/', 'Services know nothing of HTTP.'],
    ),
  },
  {
    files: ['**/config.ts', 'tools/**/*.ts', 'local/**/*.ts', 'e2e/**/*.ts', '**/tests/**/*.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['**/tests/**/*.ts', 'e2e/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', 'max-lines': 'off' },
  },
  {
    files: ['**/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable', require: 'readonly' } },
  },
  prettier,
);
