import { createGate } from '../services/gate.ts';

/** Work that ends when it is told to, and writes down when it begins and ends. */
function createWork(log: string[]) {
  return (name: string) => {
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const run = async () => {
      log.push(`${name} begins`);
      await ended;
      log.push(`${name} ends`);
      return name;
    };
    return { run, end };
  };
}

const turns = () => new Promise((resolve) => setImmediate(resolve));

test('what runs together begins at once; what runs alone waits for it, and lets nothing else begin', async () => {
  const log: string[] = [];
  const work = createWork(log);
  const gate = createGate();
  const [a, b, suspect, other, late] = ['a', 'b', 'suspect', 'other suspect', 'late'].map(work);
  const all = [gate.together(a!.run), gate.together(b!.run), gate.alone(suspect!.run)];
  all.push(gate.together(late!.run), gate.alone(other!.run));
  await turns();
  expect(log).toEqual(['a begins', 'b begins']);
  a!.end();
  await turns();
  expect(log.at(-1)).toBe('a ends');
  b!.end();
  await turns();
  expect(log.slice(3)).toEqual(['b ends', 'suspect begins']);
  suspect!.end();
  await turns();
  expect(log.slice(5)).toEqual(['suspect ends', 'other suspect begins']);
  other!.end();
  await turns();
  expect(log.slice(7)).toEqual(['other suspect ends', 'late begins']);
  late!.end();
  expect(await Promise.all(all)).toEqual(['a', 'b', 'suspect', 'late', 'other suspect']);
});

test('work that fails holds nothing up', async () => {
  const gate = createGate();
  const fail = () => Promise.reject(new Error('no'));
  const all = [gate.together(fail), gate.alone(fail), gate.alone(fail), gate.together(fail)];
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
  expect(await gate.alone(() => Promise.resolve('yes'))).toBe('yes');
  expect(await gate.together(() => Promise.resolve('yes'))).toBe('yes');
});
