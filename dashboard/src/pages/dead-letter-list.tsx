import { Link } from 'wouter';
import { type DeadLetterHead } from '../api-types.ts';
import { Time } from '../components/time.tsx';

interface LetterListProps {
  letters: readonly DeadLetterHead[];
  openId: string;
}

/** Newest first; each is a link to itself. */
export function LetterList({ letters, openId }: LetterListProps) {
  return (
    <ul className="letter-list" aria-label="Dead letters">
      {letters.map(({ id, reason, error, eventType, diedAt, attempts }) => (
        <li key={id}>
          <Link
            href={`/dead-letters/${encodeURIComponent(id)}`}
            aria-current={id === openId ? 'true' : undefined}
          >
            <span className="letter-head">
              <strong>{eventType ?? 'unknown type'}</strong>
              <span className="tag" data-tone="bad">
                {reason}
              </span>
            </span>
            <span className="letter-error">{error}</span>
            <span className="muted">
              <Time at={diedAt} />
              {attempts > 1 && `, tried ${attempts} times`}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
