/** What one run of one variant gave, by figure; the unit stands last in a figure's name. */
export type Figures = Record<string, number>;

export interface Summary {
  median: number;
  min: number;
  max: number;
}

export interface Bar {
  what: string;
  /** Of the ratios of each round. */
  ratio: Summary;
  bound: string;
  holds: boolean;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** The figures of all rounds of one experiment. */
export class Results {
  readonly #rounds = new Map<string, Figures[]>();
  /** What went wrong, by variant. */
  readonly faults: string[] = [];

  add(variant: string, figures: Figures): void {
    this.#rounds.set(variant, [...(this.#rounds.get(variant) ?? []), figures]);
  }

  get variants(): string[] {
    return [...this.#rounds.keys()];
  }

  values(variant: string, figure: string): number[] {
    return (this.#rounds.get(variant) ?? []).map((figures) => figures[figure] ?? NaN);
  }

  summary(variant: string, figure: string): Summary {
    return summarise(this.values(variant, figure));
  }

  /** The ratio of two variants, taken in each round, where both ran next to each other. */
  ratio(figure: string, over: string, under: string, figureUnder = figure): Summary {
    const below = this.values(under, figureUnder);
    return summarise(this.values(over, figure).map((value, round) => value / (below[round] ?? NaN)));
  }

  bar(what: string, ratio: Summary, bound: `${'>=' | '<='} ${number}`): Bar {
    const limit = Number(bound.slice(3));
    const holds = bound.startsWith('>=') ? ratio.median >= limit : ratio.median <= limit;
    return { what, ratio, bound, holds };
  }

  note(variant: string, unexpected: Record<string, number>): void {
    for (const [what, count] of Object.entries(unexpected))
      this.faults.push(`${variant}: ${count} requests ended with ${what}`);
  }
}

/** 12,345 or 12.3 or 0.123, whichever shows three digits or more. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return '-';
  if (value === Infinity) return '∞';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function formatSummary({ median, min, max }: Summary): string {
  if (Number.isNaN(median)) return '-';
  if (min === max) return formatNumber(median);
  return `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`;
}

/** A Markdown table with one row a variant and one column a figure. */
export function table(
  results: Results,
  columns: Record<string, string>,
  variants = results.variants,
): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const figures = Object.values(columns);
  return [
    line(['Variant', ...Object.keys(columns)]),
    line(['---', ...figures.map(() => '---:')]),
    ...variants.map((variant) =>
      line([variant, ...figures.map((figure) => formatSummary(results.summary(variant, figure)))]),
    ),
  ];
}

export function barTable(bars: readonly Bar[]): string[] {
  if (bars.length === 0) return [];
  const rows = bars.map(
    ({ what, ratio, bound, holds }) =>
      `| ${what} | ${formatSummary(ratio)} | ${bound} | ${holds ? 'holds' : 'does not hold'} |`,
  );
  return ['| Ratio | Measured | Bar | |', '| --- | ---: | ---: | --- |', ...rows];
}

/** A row of `barTable`, as it was made or as Prettier has left it; the group is what stands between its outer pipes. */
const BAR = /^\| (.* \| (?:holds|does not hold)) *\|$/gm;

/** The bars of all sections, as they stand there, in one table for those who look before they read. */
export function allBars(sections: readonly string[]): string[] {
  const rows = sections.flatMap((section) => {
    const [, title = ''] = /^## (.*)$/m.exec(section) ?? [];
    return [...section.matchAll(BAR)].map(([, bar], index) => `| ${index === 0 ? title : ''} | ${bar} |`);
  });
  return ['| Experiment | Ratio | Measured | Bar | |', '| --- | --- | ---: | ---: | --- |', ...rows];
}
