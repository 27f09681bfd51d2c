import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

test('garbage is collected early', async () => {
  const program = path.join(__dirname, 'heap-program.ts');
  // With this much to begin with, V8 collects nothing by itself.
  const args = ['--initial-old-space-size=512', '--import', 'tsx', '--conditions=source', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toBe('true\n');
});
