import { type RequestHandler } from 'express';
import { Problem } from '../problems.ts';

/** The end of the line for a path that no route took. */
export const notFound: RequestHandler = (req) => {
  throw new Problem('not-found', `There is no ${req.path}. API_DOCS.md lists the routes.`);
};
