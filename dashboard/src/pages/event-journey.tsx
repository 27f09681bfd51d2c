import { Time } from '../components/time.tsx';
import { formatDuration } from '../format-duration.ts';

interface JourneyProps {
  happened: string;
  accepted: string;
  stored: string;
}

/** The steps of an event from left to right, with the time that each took between them. */
export function Journey({ happened, accepted, stored }: JourneyProps) {
  const toAccepted = Date.parse(accepted) - Date.parse(happened);
  const toStored = Date.parse(stored) - Date.parse(accepted);
  return (
    <ol className="journey">
      <Step name="Happened" by="the client’s clock" at={happened} />
      <Step name="Accepted" by="the API, kept by the broker" at={accepted} tookMs={toAccepted} />
      <Step name="Stored" by="a worker, in the database" at={stored} tookMs={toStored} />
    </ol>
  );
}

interface StepProps {
  name: string;
  by: string;
  at: string;
  /** Since the step before. */
  tookMs?: number;
}

function Step({ name, by, at, tookMs }: StepProps) {
  return (
    <li style={{ flexGrow: weightOf(tookMs) }}>
      {tookMs !== undefined && <span className="journey-took">{tookOf(tookMs)}</span>}
      <span className="journey-dot" aria-hidden="true" />
      <strong>{name}</strong>
      <span className="muted">{by}</span>
      <Time at={at} />
    </li>
  );
}

/** Of lengths from a millisecond to a year, the longer one should look longer and the shorter one still be seen. */
function weightOf(tookMs = 0): number {
  return 1 + Math.log10(1 + Math.max(0, tookMs)) / 2;
}

/** A client whose clock is ahead says what has not happened yet. */
function tookOf(ms: number): string {
  return ms < 0 ? `${formatDuration(-ms)} ahead` : formatDuration(ms);
}
