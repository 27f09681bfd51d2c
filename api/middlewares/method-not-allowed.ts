import { type RequestHandler } from 'express';
import { Problem } from '../problems.ts';

/** Answers every method of a path that the handlers before it left over. */
export function methodNotAllowed(allow: string): RequestHandler {
  return (req, res) => {
    res.set('Allow', allow);
    throw new Problem('method-not-allowed', `${req.method} is not allowed here; use ${allow}.`);
  };
}
