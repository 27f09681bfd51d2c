import { formatChange } from '../format.ts';

interface ChangeProps {
  /** What it was before; undefined where that is not known. */
  from: number | undefined;
  to: number;
}

/** How much more or less than before. More is not always better, so it is no green and no red. */
export function Change({ from, to }: ChangeProps) {
  if (from === undefined || (from === 0 && to === 0)) return '–';
  return from === 0 ? 'new' : formatChange((to - from) / from);
}
