/** Measures the built package, and fails where a part has outgrown what it may cost a page. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';

/** Brotli bytes of the minified ES modules. */
const BYTES_MAX = { 'index.js': 3 * 1024, 'react.js': 1024, 'capture.js': 1024 };

for (const [name, bytesMax] of Object.entries(BYTES_MAX)) {
  const bytes = brotliCompressSync(readFileSync(path.join(import.meta.dirname, 'dist', name))).length;
  const isTooLarge = bytes > bytesMax;
  console.log(`${name.padEnd(10)} ${bytes} bytes of ${bytesMax}${isTooLarge ? ': too large' : ''}`);
  if (isTooLarge) process.exitCode = 1;
}
