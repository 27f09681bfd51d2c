import { allBars, barTable, Results } from '../bench/results.ts';

function resultsOf(rates: Record<string, number[]>): Results {
  const results = new Results();
  for (const [variant, values] of Object.entries(rates))
    for (const rate of values) results.add(variant, { rate });
  return results;
}

describe('Results', () => {
  it('take a ratio within each round, and give the median of those with the least and the greatest', () => {
    const results = resultsOf({ ours: [30, 10, 40], bare: [10, 20, 10] });

    expect(results.ratio('rate', 'ours', 'bare')).toEqual({ median: 3, min: 0.5, max: 4 });
  });

  it('take the middle between the two values that stand there', () => {
    expect(resultsOf({ ours: [4, 1, 2, 3] }).summary('ours', 'rate').median).toBe(2.5);
  });

  it.each([
    ['>= 3', true],
    ['>= 3.01', false],
    ['<= 3', true],
    ['<= 2.99', false],
  ] as const)('say of a median of 3 whether it is %s: %s', (bound, holds) => {
    const results = resultsOf({ ours: [1, 3, 9], bare: [1, 1, 1] });

    expect(results.bar('rate', results.ratio('rate', 'ours', 'bare'), bound).holds).toBe(holds);
  });

  it('hold no bar with a figure that could not be taken', () => {
    const results = resultsOf({ ours: [NaN], bare: [1] });

    expect(results.bar('rate', results.ratio('rate', 'ours', 'bare'), '>= 3').holds).toBe(false);
    expect(results.bar('rate', results.ratio('rate', 'ours', 'bare'), '<= 3').holds).toBe(false);
  });
});

describe('allBars', () => {
  it('has the bars of every section, as they are made and as Prettier leaves them', () => {
    const results = resultsOf({ ours: [3], bare: [1] });
    const ratio = results.ratio('rate', 'ours', 'bare');
    const bars = [results.bar('events/s', ratio, '>= 0.65'), results.bar('p99', ratio, '<= 1')];
    const made = ['## Accepting', 'Each | for 5 s.', barTable(bars).join('\n')].join('\n\n');
    const formatted = [
      '## Draining',
      '| Variant | events/s |\n| ------- | -------: |\n| ours    |     3.00 |',
      '| Ratio   | Measured |     Bar |       |',
      '| ------- | -------: | ------: | ----- |',
      '| RSS max |     3.00 | >= 0.65 | holds |',
    ].join('\n');

    expect(allBars([made, '## Shown only', formatted]).slice(2)).toEqual([
      '| Accepting | events/s | 3.00 | >= 0.65 | holds |',
      '|  | p99 | 3.00 | <= 1 | does not hold |',
      '| Draining | RSS max |     3.00 | >= 0.65 | holds |',
    ]);
  });
});
