import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

test('garbage is collected early', async () => {
  const program = path.join(__dirname, 'heap-program.ts');
  const args = ['--import', 'tsx', '--conditions=source', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toBe('true\n');
});
