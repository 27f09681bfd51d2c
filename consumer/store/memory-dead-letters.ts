import {
  type AttemptStore,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterPosition,
  type DeadLetterStore,
} from './store.ts';

/** The part of the store for tests that keeps dead letters and counts attempts; `reach` rejects while it is away. */
export function createMemoryDeadLetters(reach: () => Promise<void>): DeadLetterStore & AttemptStore {
  const letters = new Map<string, DeadLetter>();
  const attempts = new Map<string, number>();

  return {
    async recordDead(deadLetters) {
      await reach();
      for (const letter of deadLetters) letters.set(letter.id, letter);
    },
    async listDead(filter) {
      await reach();
      return [...letters.values()]
        .filter((letter) => matchesDead(letter, filter))
        .sort(lastDeadFirst)
        .slice(0, filter.limit)
        .map(({ body: _body, ...head }) => head);
    },
    async getDead(id) {
      await reach();
      return letters.get(id) ?? null;
    },
    async deleteDead(dead) {
      await reach();
      const unchanged = dead.filter(
        ({ id, diedAt }) => letters.get(id)?.diedAt.getTime() === diedAt.getTime(),
      );
      return unchanged.filter(({ id }) => letters.delete(id)).length;
    },
    async readAttempts(keys) {
      await reach();
      return keys.map((key) => attempts.get(key) ?? 0);
    },
    async countAttempts(keys) {
      await reach();
      for (const key of keys) attempts.set(key, (attempts.get(key) ?? 0) + 1);
    },
    async forgetAttempts(keys) {
      await reach();
      for (const key of keys) attempts.delete(key);
    },
  };
}

function matchesDead(letter: DeadLetter, { reason, eventType, from, to, after }: DeadLetterFilter): boolean {
  return (
    (reason === undefined || letter.reason === reason) &&
    (eventType === undefined || letter.eventType === eventType) &&
    (from === undefined || letter.diedAt >= from) &&
    (to === undefined || letter.diedAt < to) &&
    (after === undefined || lastDeadFirst(letter, after) > 0)
  );
}

function lastDeadFirst(a: DeadLetterPosition, b: DeadLetterPosition): number {
  return b.diedAt.getTime() - a.diedAt.getTime() || compareText(b.id, a.id);
}

/** By code point, as databases compare; `<` would compare UTF-16 units. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
