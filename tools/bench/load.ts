import { fork } from 'node:child_process';
import path from 'node:path';
import { compiled } from './compile.ts';
import { type LoadOptions, type LoadResult } from './load/generator.ts';

/** Runs a compiled program that is told what to do by one message and answers with one. */
export function runProgram<T>(file: string, options: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(compiled, file), { execArgv: [] });
    child.once('message', (result) => resolve(result as T));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with code ${code ?? 'none'}`)));
    child.send(options);
  });
}

export function runLoad(options: LoadOptions): Promise<LoadResult> {
  return runProgram('load/generator.js', options);
}
