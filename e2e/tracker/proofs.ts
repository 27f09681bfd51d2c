import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../tools/programs.ts';

/** What came of the events of one test. */
export interface Proof {
  what: string;
  /** Where something is not as it comes. */
  settings: string;
  tracked: number;
  /** Events in the requests that arrived, each as often as it arrived. */
  sent: number;
  stored: number;
  /** Events that are stored more than once. */
  doubled: number;
}

const file = path.join(root, 'tracker', 'README.md');
const begin = '<!-- What follows is written by `npm run proofs -w tracker`. -->';
const end = '<!-- Up to here. -->';

/** Writes the table into the tracker's README, between its marks. */
export function writeProofs(proofs: readonly Proof[], browser: string): void {
  const [before, rest] = readFileSync(file, 'utf8').split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${file} has lost the marks of its table`);
  const rows = proofs.map(
    ({ what, settings, tracked, sent, stored, doubled }) =>
      `| ${[what, settings, tracked, sent, stored, doubled].join(' | ')} |`,
  );
  const table = [
    `Chromium ${browser}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    '| What happened | Settings | Tracked | Sent | Stored | Stored twice |',
    '| --- | --- | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
  writeFileSync(file, `${before}${begin}\n\n${table}\n\n${end}${after}`);
  execFileSync('npx', ['prettier', '--write', file], { cwd: root, stdio: 'ignore' });
}
