/** Bundles a page for tests on React 18 or 19: `build-page.ts <page> <18|19> <folder>`. */
import path from 'node:path';
import { build } from 'vite';

const [name = '', react = '', folder = ''] = process.argv.slice(2);
const root = path.join(import.meta.dirname, '..', '..');
const modules =
  react === '18' ? path.join(root, 'e2e', 'react-18', 'node_modules') : path.join(root, 'node_modules');

await build({
  configFile: false,
  logLevel: 'warn',
  mode: 'development',
  root: path.join(import.meta.dirname, 'pages'),
  resolve: { alias: [{ find: /^(react|react-dom)(?=$|\/)/, replacement: path.join(modules, '$1') }] },
  ssr: { noExternal: true },
  build: {
    ...(name === 'server' ? { ssr: `${name}.tsx` } : {}),
    rolldownOptions: {
      input: path.join(import.meta.dirname, 'pages', `${name}.tsx`),
      output: { entryFileNames: `${name}-${react}.js`, format: name === 'server' ? 'cjs' : 'es' },
    },
    outDir: folder,
    emptyOutDir: false,
    minify: false,
  },
});
