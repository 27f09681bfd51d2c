import { useCallback, useEffect, useState } from 'react';
import { type ApiError, callApi } from './api.ts';

/** How long to wait before asking again an API that did not answer. */
const RETRY_MS = 2000;

export interface Resource<T> {
  /** The newest answer there is. It stays while the API is away, and `error` says so. */
  data: T | undefined;
  /** Set until the next good answer. A passing one is tried again by itself. */
  error: ApiError | undefined;
  /** The answer to another path, kept until that of this one is there. */
  isPrevious: boolean;
  reload: () => void;
}

interface Answer<T> {
  path: string;
  data: T | undefined;
  error: ApiError | undefined;
}

interface Options {
  /** Asks again so long after each answer. Without it, once. */
  everyMs?: number;
  /** Whether `data` is that of the last path until the new one has answered. */
  keepPrevious?: boolean;
}

/** What a GET of this path answers, kept up to date. A hidden page asks for nothing. */
export function useResource<T>(path: string, { everyMs, keepPrevious = false }: Options = {}): Resource<T> {
  const [answer, setAnswer] = useState<Answer<T>>();
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((last) => last + 1), []);

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isDue = false;

    const ask = async () => {
      isDue = document.hidden;
      if (isDue) return;
      const answered = await callApi<T>(path, { signal }).then(
        (data) => ({ data, error: undefined }),
        (error: unknown) => ({ data: undefined, error: error as ApiError }),
      );
      if (signal.aborted) return;
      const { data, error } = answered;
      setAnswer((last) => {
        // What does not pass, such as a query that is not valid, has no answer; not even an old one.
        const isKept = error?.passing && (last?.path === path || keepPrevious);
        const kept = isKept ? last?.data : undefined;
        return { path, data: error ? kept : data, error };
      });
      const waitMs = error ? waitAfter(error) : everyMs;
      if (waitMs !== undefined) timer = setTimeout(() => void ask(), waitMs);
    };
    const whenSeen = () => void (isDue && ask());

    void ask();
    document.addEventListener('visibilitychange', whenSeen);
    return () => {
      document.removeEventListener('visibilitychange', whenSeen);
      clearTimeout(timer);
      controller.abort();
    };
  }, [path, everyMs, keepPrevious, round]);

  const isPrevious = answer !== undefined && answer.path !== path;
  if (isPrevious && !keepPrevious) return { data: undefined, error: undefined, isPrevious: false, reload };
  return { data: answer?.data, error: answer?.error, isPrevious, reload };
}

/** undefined for what does not pass by itself, such as an event that is not kept. */
function waitAfter(error: ApiError): number | undefined {
  return error.passing ? Math.max(RETRY_MS, (error.retryAfterS ?? 0) * 1000) : undefined;
}
