import { type Logger } from './logger.ts';

export interface ShutdownStep {
  name: string;
  run: () => Promise<unknown> | void;
}

/**
 * A function that takes the steps one after the other, once however often it is called, and resolves to the exit
 * code. A step that fails is logged and the next one still runs. The code is 1 when a step failed or when
 * `timeoutMs` was not enough: what was in flight is then left to the queue, which delivers it again.
 */
export function createShutdown(
  steps: readonly ShutdownStep[],
  timeoutMs: number,
  logger: Logger,
): () => Promise<number> {
  let done: Promise<number> | undefined;

  async function takeSteps(): Promise<number> {
    let code = 0;
    for (const step of steps) {
      try {
        await step.run();
      } catch (error) {
        logger.error({ err: error, step: step.name }, 'shutdown step failed');
        code = 1;
      }
    }
    return code;
  }

  async function shutdown(): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<number>((resolve) => {
      timer = setTimeout(() => {
        logger.error({ timeoutMs }, 'shutdown took too long');
        resolve(1);
      }, timeoutMs);
    });
    const code = await Promise.race([takeSteps(), tooLate]);
    clearTimeout(timer);
    return code;
  }

  return () => (done ??= shutdown());
}

/**
 * Ends the process through `shutdown` on SIGTERM and SIGINT, and when the process that started this one over IPC is
 * gone, so that a supervisor that was killed leaves no orphan.
 */
export function shutdownOnSignals(shutdown: () => Promise<number>, logger: Logger): void {
  const end = (reason: string) => {
    logger.info({ reason }, 'shutting down');
    void shutdown().then((code) => process.exit(code));
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  process.on('disconnect', () => end('parent process gone'));
}
