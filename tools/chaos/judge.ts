import { type Row } from './matrix.ts';
import { type Observed } from './run-row.ts';

/** Of a row that ran, every bar that it broke, as a sentence; none means that it held. */
export function judge({ bar, evidence }: Pick<Row, 'bar' | 'evidence'>, observed: Observed): string[] {
  const { compared, load, ended, drained, clientStallMs } = observed;
  const { lost, doubled, foreign, deadLetters, wrong } = compared;
  const broken: string[] = [];
  const must = (holds: boolean, sentence: string) => void (holds || broken.push(sentence));
  const outcomes = countOutcomes(load.ledger);
  const gapMs = load.longestGapMs();
  const backMs = Math.max(0, ...observed.backMs);

  must(lost === 0, `${lost} events had their 202 and are lost`);
  must(doubled === 0, `${doubled} events are there more than once`);
  must(foreign === 0, `${foreign} events were never sent`);
  must(deadLetters === 0, `${deadLetters} dead letters, and nothing was poison`);
  must(drained, 'events still waited two minutes after everything was back');
  must(outcomes.ok > 0, 'nothing was accepted');
  for (const words of ended) broken.push(words);
  if (bar.gapMsMax !== undefined) {
    const stall = `(the client itself stood still for up to ${Math.round(clientStallMs)} ms)`;
    must(gapMs <= bar.gapMsMax, `no 202 for ${Math.round(gapMs)} ms, the bar is ${bar.gapMsMax} ms ${stall}`);
  }
  if (bar.backMsMax !== undefined) {
    const sentence = `the first 202 came ${Math.round(backMs)} ms after it was back, the bar is ${bar.backMsMax} ms`;
    must(backMs <= bar.backMsMax, sentence);
  }
  if (bar.failsNothing) {
    must(outcomes.fail + outcomes.unknown === 0, `${outcomes.fail + outcomes.unknown} events had no 202`);
  }
  if (evidence)
    must(evidenceOf(evidence, observed) > 0, `nothing was ${words[evidence]}: the row tested nothing`);
  if (broken.length > 0) broken.push(...wrong);
  return broken;
}

const words = {
  redelivered: 'redelivered',
  refused: 'refused',
  heldBack: 'held back',
  degraded: 'limited without Redis',
  anything: 'redelivered, refused, held back or limited without Redis',
} satisfies Record<NonNullable<Row['evidence']>, string>;

/** What the fault did, as a cell of the table. */
export function showEvidence(evidence: Row['evidence'], observed: Observed): string {
  return evidence ? `${evidenceOf(evidence, observed)} ${words[evidence]}` : '';
}

function evidenceOf(evidence: NonNullable<Row['evidence']>, observed: Observed): number {
  const { load, compared } = observed;
  switch (evidence) {
    case 'redelivered':
      return compared.redelivered;
    case 'refused':
      return load.refused + load.unanswered;
    case 'heldBack':
      return compared.heldBack;
    case 'degraded':
      return observed.degraded;
    // Chance says what is broken, and so what can be seen of it.
    case 'anything':
      return (['redelivered', 'refused', 'heldBack', 'degraded'] as const).reduce(
        (sum, one) => sum + evidenceOf(one, observed),
        0,
      );
  }
}

export function countOutcomes(ledger: Observed['load']['ledger']) {
  const counts = { ok: 0, fail: 0, unknown: 0 };
  for (const outcome of ledger.values()) counts[outcome] += 1;
  return counts;
}
