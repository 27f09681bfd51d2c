import { type Service } from '../services/service.ts';

/** A part of the system that can be broken and mended. */
export interface Part {
  readonly name: string;
  readonly service: Service;
  readonly isDown: boolean;
  kill(): Promise<void>;
  /** Resolves when it serves again. */
  restart(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Mends whatever is broken. */
  mend(): Promise<void>;
}

/** `beforeKill` hears of every end that is ours. */
export function createPart(name: string, service: Service, beforeKill?: () => void): Part {
  let isDown = false;
  let isPaused = false;
  const part: Part = {
    name,
    service,
    get isDown() {
      return isDown;
    },
    async kill() {
      isDown = true;
      isPaused = false;
      beforeKill?.();
      await service.kill();
    },
    async restart() {
      await service.restart();
      isDown = false;
    },
    pause() {
      isPaused = true;
      service.pause();
    },
    resume() {
      isPaused = false;
      service.resume();
    },
    async mend() {
      if (isPaused) part.resume();
      if (isDown) await part.restart();
    },
  };
  return part;
}
