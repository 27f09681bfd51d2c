/**
 * Builds the package: ES modules, the same as CommonJS, and a script that stands alone; the types are tsc's work.
 * With a folder as argument it writes there instead of dist/.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'vite';

const src = path.join(import.meta.dirname, 'src');
const outDir = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, 'dist'));

/** The React part imports the core from the file beside it, so that an application has it once. */
const coreBeside: Plugin = {
  name: 'core-beside',
  enforce: 'pre',
  resolveId: (id) => (id === './index.ts' ? { id: './index.js', external: true } : null),
};

async function bundle(file: string, format: 'es' | 'cjs' | 'iife', output: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'warn',
    root: import.meta.dirname,
    plugins: [coreBeside],
    build: {
      lib: { entry: path.join(src, file), formats: [format], name: 'eventTrackerScript' },
      outDir: path.dirname(path.join(outDir, output)),
      emptyOutDir: false,
      target: 'es2022',
      sourcemap: true,
      rolldownOptions: {
        external: ['react', 'react/jsx-runtime'],
        output: {
          entryFileNames: path.basename(output),
          minify: true,
          // Frameworks that render on a server learn from it that hooks run in the browser.
          ...(file === 'react.tsx' ? { banner: "'use client';" } : {}),
        },
      },
    },
  });
}

async function main(): Promise<void> {
  rmSync(outDir, { recursive: true, force: true });
  await bundle('index.ts', 'es', 'index.js');
  await bundle('react.tsx', 'es', 'react.js');
  await bundle('capture.ts', 'es', 'capture.js');
  await bundle('script.ts', 'iife', 'event-tracker.js');
  await bundle('index.ts', 'cjs', 'cjs/index.js');
  await bundle('capture.ts', 'cjs', 'cjs/capture.js');
  await bundle('react.tsx', 'cjs', 'cjs/react.js');
  // The package is one of ES modules, but for this folder; its types are read as CommonJS, too.
  mkdirSync(path.join(outDir, 'cjs'), { recursive: true });
  writeFileSync(path.join(outDir, 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
}

void main();
