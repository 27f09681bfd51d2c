/** Each step has those before it, but for node:http, which stands for itself. */
export const STEPS = [
  'node:http',
  'Express, express.json',
  'helmet, Joi, Redis limiter',
  'prototypes',
  'auto-pipelining',
  'guard before Joi',
  'constant headers',
] as const;

export type Step = (typeof STEPS)[number];
