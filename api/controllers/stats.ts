import { type RequestHandler } from 'express';
import Joi from 'joi';
import { type HourStore } from '@event-tracker/consumer/store/store';
import { Problem } from '../problems.ts';
import { type Interval, INTERVALS_MS, type OverviewRange, readOverview } from '../services/overview.ts';
import { moment, parseQuery } from './page.ts';

/** Most intervals of one overview. */
export const BUCKETS_MAX = 1000;
const DEFAULT_LENGTH_MS = INTERVALS_MS.day;

interface OverviewQuery {
  from?: Date;
  to?: Date;
  interval: Interval;
}

const overviewSchema = Joi.object<OverviewQuery>({
  from: moment,
  to: moment,
  interval: Joi.string()
    .valid(...Object.keys(INTERVALS_MS))
    .default('hour'),
});

/** GET of what was stored in a range of time, beside the time of the same length before. */
export function showOverview(store: Pick<HourStore, 'listHours'>): RequestHandler {
  return async (req, res) => {
    res.json(await readOverview(store, widen(parseQuery(overviewSchema, req.query))));
  };
}

/** To whole intervals in UTC. */
function widen({ to = new Date(), from, interval }: OverviewQuery): OverviewRange {
  const unitMs = INTERVALS_MS[interval];
  const first = Math.floor((from?.getTime() ?? to.getTime() - DEFAULT_LENGTH_MS) / unitMs);
  const end = Math.ceil(to.getTime() / unitMs);
  if (first >= end) throw wrongFrom('must be before `to`');
  if (end - first > BUCKETS_MAX) {
    throw wrongFrom(`must be no more than ${BUCKETS_MAX} intervals (${interval}) before \`to\``);
  }
  return { from: new Date(first * unitMs), to: new Date(end * unitMs), interval };
}

function wrongFrom(message: string): Problem {
  return new Problem('invalid-query', 'Nothing was done.', [{ field: 'from', message }]);
}
