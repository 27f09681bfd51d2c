import { createHash } from 'node:crypto';
import { StoreUnavailable } from '@event-tracker/shared/errors';
import { readMessage } from '@event-tracker/shared/message';
import { type Message, type MessageHandler, type Verdict } from '@event-tracker/shared/queue/queue';
import { type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';
import { createDeadLetter } from './dead-letter.ts';
import { createGate } from './gate.ts';

/** A redelivered message is processed with others so many times; from then on nothing else is in flight with it. */
export const TOGETHER_ATTEMPTS_MAX = 2;
/**
 * A message that was given up so many times by a worker that ended is a dead letter without being begun again. With
 * the first delivery, which nobody counts, that stays far below the 20 after which RabbitMQ 4 drops a message.
 */
export const ATTEMPTS_MAX = 5;
/** The same for one event of a message: it was begun with nothing else in flight each time. */
export const EVENT_ATTEMPTS_MAX = 2;

type Parts = Pick<Store, 'recordDead' | 'readAttempts' | 'countAttempts' | 'forgetAttempts'>;

/**
 * Keeps a message that ends the process from ending it for ever. What was delivered before is counted in the store
 * before it is begun and forgotten once it has any verdict, so that the count tells how often in a row a worker ended
 * with the message in its hands. Others that it held then are counted as well; begun alone, they get through and the
 * one does not. Of a message that carries several events each is then begun alone, because they came from different
 * requests, and only the one that ends the worker is a dead letter. A first delivery costs nothing.
 */
export function isolateCrashes(
  handle: MessageHandler,
  store: Parts,
  backoff: Pick<Backoff, 'run'>,
  worker: string,
): MessageHandler {
  const gate = createGate();
  /** A process ends once: the same bytes in several messages count once while they are undecided. */
  const undecided = new Map<string, Promise<number>>();

  const admit = gatherCalls((keys) =>
    backoff.run(async () => {
      const earlier = await store.readAttempts(keys);
      // Those that will wait for their turn are not begun yet, and a crash until then is not theirs.
      await store.countAttempts(keys.filter((_key, index) => !needsIsolation(earlier[index])));
      return earlier;
    }),
  );
  const forget = gatherCalls(async (keys) => {
    try {
      await backoff.run(() => store.forgetAttempts(keys));
    } catch (error) {
      // The worker stops while the store is away. One count that stays is no loop, and is not kept for ever.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    return keys;
  });

  const { eachAlone, giveUp } = isolateEvents(handle, store, backoff, worker, forget);

  async function decide(message: Message, key: string, earlier: number): Promise<Verdict> {
    if (!needsIsolation(earlier)) return gate.together(() => handle(message));
    if (earlier < ATTEMPTS_MAX) {
      return gate.alone(async () => {
        await backoff.run(() => store.countAttempts([key]));
        const events = eventsOf(message);
        return events.length > 1 ? eachAlone(events, key) : handle(message);
      });
    }
    // Not every broker tells: the first delivery, which was not counted, and this one.
    return giveUp({ ...message, attempts: Math.max(message.attempts, earlier + 2) }, earlier);
  }

  async function handleAgain(message: Message): Promise<Verdict> {
    const key = keyOf(message);
    const attempts = undecided.get(key) ?? admit(key);
    undecided.set(key, attempts);
    try {
      return await decide(message, key, await attempts);
    } catch (error) {
      // The store is away and the worker stops; what the handler throws is its own.
      if (error instanceof StoreUnavailable) return 'retry';
      throw error;
    } finally {
      undecided.delete(key);
      await forget(key);
    }
  }

  return (message) => (message.redelivered ? handleAgain(message) : gate.together(() => handle(message)));
}

/** What is done with a message that other messages are innocent of. */
function isolateEvents(
  handle: MessageHandler,
  store: Parts,
  backoff: Pick<Backoff, 'run'>,
  worker: string,
  forget: (key: string) => Promise<unknown>,
) {
  async function eachAlone(events: readonly Message[], messageKey: string): Promise<Verdict> {
    const verdicts = new Set<Verdict>();
    for (const event of events) {
      const key = keyOf(event);
      const [earlier = 0] = await backoff.run(() => store.readAttempts([key]));
      if (earlier < EVENT_ATTEMPTS_MAX) {
        await backoff.run(() => store.countAttempts([key]));
        verdicts.add(await handle(event));
      } else {
        verdicts.add(await giveUp(event, earlier));
        // What is left of the message has not been tried without it.
        await forget(messageKey);
      }
      await forget(key);
    }
    if (verdicts.has('retry')) return 'retry';
    return verdicts.has('ack') ? 'ack' : 'dead';
  }

  async function giveUp(message: Message, earlier: number): Promise<Verdict> {
    const error = `the worker ended ${earlier} times in a row while it held this`;
    const letter = createDeadLetter({ message }, { reason: 'crash-loop', error }, worker);
    await backoff.run(() => store.recordDead([letter]));
    return 'dead';
  }

  return { eachAlone, giveUp };
}

function keyOf({ body }: Message): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Each event of a message as a message of its own; what cannot be read stays as it is. */
function eventsOf(message: Message): Message[] {
  try {
    const { events, bytesOf } = readMessage(message.body);
    return events.map((_event, index) => ({ ...message, body: bytesOf(index) }));
  } catch {
    return [message];
  }
}

function needsIsolation(earlier = 0): boolean {
  return earlier >= TOGETHER_ATTEMPTS_MAX;
}

/** A call for one key that is made together with all others of this turn of the event loop. */
function gatherCalls<T>(run: (keys: string[]) => Promise<T[]>): (key: string) => Promise<T> {
  let keys: string[] = [];
  let results: Promise<T[]> | undefined;
  return async (key) => {
    const index = keys.push(key) - 1;
    results ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      const gathered = keys;
      keys = [];
      results = undefined;
      return run(gathered);
    });
    return (await results)[index]!;
  };
}
