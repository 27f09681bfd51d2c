import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const FOLDERS = ['seed-shaped', 'bare', 'load', 'ladder'];

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.CommonJS,
  esModuleInterop: true,
  rewriteRelativeImportExtensions: true,
};

/** The folder of the compiled variants. */
export const compiled = path.join(__dirname, 'dist');

/** Makes plain JavaScript of the variants, as ours is: what tsx does to closures would slow them down. */
export function compileVariants(): void {
  for (const folder of FOLDERS) {
    mkdirSync(path.join(compiled, folder), { recursive: true });
    for (const name of readdirSync(path.join(__dirname, folder))) {
      const source = readFileSync(path.join(__dirname, folder, name), 'utf8');
      const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: name });
      writeFileSync(path.join(compiled, folder, name.replace(/\.ts$/, '.js')), outputText);
    }
  }
}
