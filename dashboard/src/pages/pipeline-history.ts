import { useEffect, useState } from 'react';
import { type PipelineReport } from '../api-types.ts';

export const HISTORY_MINUTES = 10;
export const ASK_EVERY_MS = 2000;
/** Nothing older is kept in the page. */
const SAMPLES_MAX = (HISTORY_MINUTES * 60_000) / ASK_EVERY_MS;
/** After a silence this long the lines are broken, not drawn across it. */
const SILENCE_MS = 5 * ASK_EVERY_MS;

export interface Sample {
  at: number;
  /** undefined where nothing was heard. */
  report: PipelineReport | undefined;
}

/** The reports of the last minutes, oldest first, as long as the page is open. */
export function useHistory(report: PipelineReport | undefined): readonly Sample[] {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  useEffect(() => {
    if (report === undefined) return;
    const at = Date.now();
    setSamples((last) => {
      const silentSince = last.at(-1)?.at ?? at;
      const silence = at - silentSince > SILENCE_MS ? [{ at: at - 1, report: undefined }] : [];
      return [...last, ...silence, { at, report }].slice(-SAMPLES_MAX);
    });
  }, [report]);
  return samples;
}
