import { EventEmitter } from 'node:events';
import { createShutdown, shutdownOnSignals } from '../shutdown.ts';
import { logger } from './queue-fixture.ts';

describe('createShutdown', () => {
  test('takes the steps one after the other', async () => {
    const taken: string[] = [];
    const step = (name: string, turns: number) => ({
      name,
      async run() {
        taken.push(`${name} begins`);
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        taken.push(`${name} ends`);
      },
    });
    const last = { name: 'last', run: () => void taken.push('last') };
    const code = await createShutdown([step('first', 5), step('second', 1), last], 10_000, logger)();
    expect(taken).toEqual(['first begins', 'first ends', 'second begins', 'second ends', 'last']);
    expect(code).toBe(0);
  });

  test('runs once, however often it is called', async () => {
    let runs = 0;
    const shutdown = createShutdown([{ name: 'count', run: () => void runs++ }], 10_000, logger);
    expect(await Promise.all([shutdown(), shutdown()])).toEqual([0, 0]);
    expect(await shutdown()).toBe(0);
    expect(runs).toBe(1);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
  ])('a step that %s does not keep the next one from running', async (_, run) => {
    let reached = false;
    const steps = [
      { name: 'failing', run },
      { name: 'next', run: () => void (reached = true) },
    ];
    expect(await createShutdown(steps, 10_000, logger)()).toBe(1);
    expect(reached).toBe(true);
  });

  test('a step that does not end is given up, and none is taken after it', async () => {
    let reached = false;
    const steps = [
      { name: 'endless', run: () => new Promise(() => undefined) },
      { name: 'next', run: () => void (reached = true) },
    ];
    expect(await createShutdown(steps, 20, logger)()).toBe(1);
    expect(reached).toBe(false);
  });

  test('no steps are done at once', async () => {
    expect(await createShutdown([], 10_000, logger)()).toBe(0);
  });
});

describe('shutdownOnSignals', () => {
  test.each(['SIGTERM', 'SIGINT', 'disconnect'])(
    '%s ends the process with the code of the shutdown',
    async (signal) => {
      const listeners = new EventEmitter();
      jest.spyOn(process, 'on').mockImplementation((name, listener) => {
        listeners.on(name, listener);
        return process;
      });
      const exited = new Promise((resolve) => {
        jest.spyOn(process, 'exit').mockImplementation((code) => resolve(code) as never);
      });
      shutdownOnSignals(() => Promise.resolve(3), logger);
      listeners.emit(signal);
      expect(await exited).toBe(3);
      jest.restoreAllMocks();
    },
  );
});
