import { execFileSync } from 'node:child_process';
import { boundHeapGrowth, HEAP_GROWTH_FLAG } from '../heap.ts';

test('the flag is one that this V8 knows', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(known).toContain(HEAP_GROWTH_FLAG.split('=')[0]);
  expect(boundHeapGrowth).not.toThrow();
});
