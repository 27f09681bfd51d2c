import { adminKey, wantKey } from './admin-key.ts';

/** A request that has no answer by then is given up. */
const ANSWER_TIMEOUT_MS = 15_000;

export interface FieldError {
  field: string;
  message: string;
}

/** A problem document of the API (RFC 9457), or that there was no answer at all. */
export class ApiError extends Error {
  override name = 'ApiError';
  /** 0 when the API did not answer. */
  readonly status: number;
  readonly title: string;
  readonly details: readonly FieldError[];
  readonly requestId: string | undefined;
  /** What the API asked to wait for, with a 429 or a 503. */
  readonly retryAfterS: number | undefined;

  constructor(status: number, problem: Problem, retryAfterS?: number) {
    super(problem.detail);
    this.status = status;
    this.title = problem.title;
    this.details = problem.details ?? [];
    this.requestId = problem.requestId;
    this.retryAfterS = retryAfterS;
  }

  /** It may work the next time, with nothing changed in the request. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Problem {
  title: string;
  detail: string;
  details?: FieldError[];
  requestId?: string;
}

interface ApiRequest {
  method?: 'GET' | 'POST' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** JSON that somebody has typed, sent as it is: parsed and written again, large numbers would be others. */
  text?: string;
  signal?: AbortSignal;
}

/** Resolves to the body of a good answer; rejects with an ApiError, or with an AbortError after `signal`. */
export async function callApi<T>(
  path: string,
  { method = 'GET', body, text, signal }: ApiRequest = {},
): Promise<T> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const init: RequestInit = { method, signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  if (sent !== undefined) {
    init.body = sent;
    init.headers = { 'Content-Type': 'application/json' };
  }
  try {
    const response = await fetchWithKey(path, init);
    if (!response.ok) throw await errorOf(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) throw error;
    throw noAnswer();
  }
}

/** `fetch` with the admin key; an answer of 401 makes the page ask for one. */
export async function fetchWithKey(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (adminKey() !== '') headers.set('Authorization', `Bearer ${adminKey()}`);
  const response = await fetch(url, { ...init, headers });
  if (response.status === 401) wantKey((await errorOf(response.clone())).message);
  return response;
}

/** What an answer that is not good says. */
export async function errorOf(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get('Retry-After') ?? NaN);
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  // Whatever stands before the API answers in words of its own while the API is away.
  if (typeof problem?.detail !== 'string') {
    if (response.status >= 500) return noAnswer();
    return new ApiError(response.status, { title: `The API answered ${response.status}`, detail: '' });
  }
  return new ApiError(response.status, problem, Number.isFinite(retryAfter) ? retryAfter : undefined);
}

export function noAnswer(): ApiError {
  return new ApiError(0, { title: 'The API does not answer', detail: 'Nothing came back from it.' });
}
