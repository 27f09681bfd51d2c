import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

/** A smaller file would not fit into fewer packets. */
const COMPRESSED_FROM_BYTES = 1024;

/** Writes each file a second and a third time, compressed once and for all; the API serves them as they are. */
function precompress(): Plugin {
  const write = async (file: string) => {
    const bytes = await readFile(file);
    if (bytes.length < COMPRESSED_FROM_BYTES) return;
    await writeFile(`${file}.br`, await promisify(brotliCompress)(bytes));
    await writeFile(`${file}.gz`, await promisify(gzip)(bytes, { level: 9 }));
  };
  return {
    name: 'precompress',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      await Promise.all(Object.keys(bundle).map((name) => write(path.join(dir, name))));
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), precompress()],
  // The tracker is taken from its source, so that nothing has to be built before.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: {
    target: 'es2022',
    // The page allows no script and no style that is written into it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
