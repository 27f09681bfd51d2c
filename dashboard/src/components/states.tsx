import { type ReactNode } from 'react';
import { type ApiError } from '../api.ts';
import { type Resource } from '../use-resource.ts';
import { Icon } from './icon.tsx';

interface LoadedProps<T> {
  resource: Resource<T>;
  children: (data: T) => ReactNode;
}

/** What was loaded, or why it is not there (yet). What is old stays readable, with a word that it is. */
export function Loaded<T>({ resource, children }: LoadedProps<T>) {
  const { data, error, reload } = resource;
  if (data === undefined) return error ? <ErrorNotice error={error} onRetry={reload} /> : <Skeleton />;
  return (
    <>
      {error && <ErrorNotice error={error} onRetry={reload} isStale />}
      {children(data)}
    </>
  );
}

interface ErrorNoticeProps {
  error: ApiError;
  onRetry?: () => void;
  /** What stands below is from before. */
  isStale?: boolean;
}

/** Says what went wrong and what happens next, politely: a fault is no reason to interrupt a screen reader. */
export function ErrorNotice({ error, onRetry, isStale = false }: ErrorNoticeProps) {
  return (
    <div className="notice" role="status" data-tone={error.passing ? 'warn' : 'bad'}>
      <Icon name="warning" />
      <div>
        <p>
          <strong>{error.title}.</strong> {error.passing && onRetry ? 'Trying again …' : error.message}
        </p>
        {isStale && <p>What you see is what it said before.</p>}
        {error.details.length > 0 && (
          <ul>
            {error.details.map(({ field, message }) => (
              <li key={`${field} ${message}`}>
                <code>{field}</code> {message}
              </li>
            ))}
          </ul>
        )}
        {error.requestId !== undefined && !error.passing && (
          <p className="muted">Request {error.requestId}</p>
        )}
      </div>
      {onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          {error.passing ? 'Try now' : 'Try again'}
        </button>
      )}
    </div>
  );
}

/** Nothing to show, which is a good answer too: says why, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Keeps the place of what is being loaded. It appears only after a moment, so that quick answers do not flicker. */
export function Skeleton() {
  return (
    <div className="skeleton" role="status">
      <span className="visually-hidden">Loading …</span>
    </div>
  );
}
