import { type RequestHandler } from 'express';
import { type Readiness } from '@event-tracker/shared/readiness';
import { apiRegistry, exposeMetrics } from '../services/metrics.ts';
import { type Pipeline } from '../services/pipeline.ts';

/** GET of what became of all accepted events. */
export function showPipeline(pipeline: Pipeline): RequestHandler {
  return async (_req, res) => {
    res.json(await pipeline.read());
  };
}

/** GET of this process's metrics in the text format of Prometheus. */
export function showMetrics(readiness: Readiness): RequestHandler {
  return async (_req, res) => {
    const { checks } = await readiness.report();
    const text = await exposeMetrics(checks);
    res.set('Content-Type', apiRegistry.contentType).send(text);
  };
}
