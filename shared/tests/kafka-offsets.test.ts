import fc from 'fast-check';
import { OffsetTracker } from '../queue/kafka-offsets.ts';

describe('offset tracker', () => {
  test('begins with what the group has committed', () => {
    expect(new OffsetTracker(7)).toMatchObject({ next: 7, committable: 7, uncommitted: 0 });
  });

  test('only what lies below every undecided message may be committed', () => {
    const offsets = new OffsetTracker(0);
    for (const offset of [0, 1, 2, 3]) offsets.handOut(offset);
    offsets.decide(1);
    offsets.decide(3);
    expect(offsets).toMatchObject({ committable: 0, firstUndecided: 0 });
    offsets.decide(0);
    expect(offsets).toMatchObject({ committable: 2, firstUndecided: 2 });
    offsets.decide(2);
    expect(offsets).toMatchObject({ committable: 4, firstUndecided: undefined });
  });

  test('offsets may have gaps: of transactions, or of what was compacted away', () => {
    const offsets = new OffsetTracker(10);
    for (const offset of [12, 20]) offsets.handOut(offset);
    expect(offsets.committable).toBe(12);
    offsets.decide(12);
    expect(offsets.committable).toBe(20);
    offsets.decide(20);
    expect(offsets.committable).toBe(21);
  });

  test('what is committed is forgotten, and no sooner', () => {
    const offsets = new OffsetTracker(0);
    for (const offset of [0, 1, 2]) offsets.handOut(offset);
    for (const offset of [0, 1, 2]) offsets.decide(offset);
    expect(offsets.uncommitted).toBe(3);
    offsets.committed(2);
    expect(offsets).toMatchObject({ uncommitted: 1, committable: 3 });
  });

  test('a verdict over what it has not handed out says nothing', () => {
    const offsets = new OffsetTracker(5);
    offsets.decide(5);
    offsets.decide(4);
    expect(offsets.committable).toBe(5);
  });

  test('in whatever order verdicts and commits come, nothing undecided is ever committable', () => {
    const messages = fc.uniqueArray(fc.nat(500), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(messages, fc.infiniteStream(fc.nat()), (numbers, random) => {
        const sent = numbers.toSorted((a, b) => a - b);
        const offsets = new OffsetTracker(0);
        const undecided = new Set<number>();
        while (sent.length > 0 || undecided.size > 0) {
          const [step = 0] = random.take(1);
          const among = [...undecided];
          const decided = among[step % (among.length + 1)];
          if (decided !== undefined) {
            offsets.decide(decided);
            undecided.delete(decided);
          } else if (sent.length > 0) {
            undecided.add(sent[0]!);
            offsets.handOut(sent.shift()!);
          } else {
            offsets.committed(offsets.committable);
          }
          expect(offsets.committable).toBe(Math.min(offsets.next, ...undecided));
        }
        expect(offsets.committable).toBe(offsets.next);
      }),
    );
  });
});
