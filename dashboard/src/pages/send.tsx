import { type SubmitEvent, useRef, useState } from 'react';
import { Link } from 'wouter';
import { ApiError, callApi, type FieldError } from '../api.ts';
import { Icon } from '../components/icon.tsx';
import { Page } from '../components/page.tsx';
import { Panel } from '../components/panel.tsx';
import { formatTimeOfDay } from '../format.ts';
import { eventPath } from '../paths.ts';
import { SendField } from './send-field.tsx';
import './send.css';

const FIELDS = ['userId', 'eventType', 'timestamp', 'payload'] as const;
type Values = Record<(typeof FIELDS)[number], string>;

const examples: Values = {
  userId: '',
  eventType: '',
  timestamp: '',
  payload: '{\n  "path": "/products"\n}',
};

type Outcome = { eventId: string } | { error: ApiError };

/** A form for one event, with the API's own words at the fields that it does not take. */
export default function Send() {
  const [values, setValues] = useState<Values>(() => ({ ...examples, timestamp: new Date().toISOString() }));
  const { outcome, isSending, form, send } = useSend(values);
  const details = outcome && 'error' in outcome ? outcome.error.details : [];
  const fieldOf = (name: keyof Values) => ({
    name,
    value: values[name],
    errors: errorsOf(details, name),
    onChange: (value: string) => setValues({ ...values, [name]: value }),
  });

  return (
    <Page
      title="Send an event"
      lead="It takes the same way as every other event: API, queue, worker, database."
    >
      <div className="send-columns">
        <form ref={form} className="panel send" noValidate onSubmit={send}>
          <div className="send-row">
            <SendField label="User id" hint="Any text: a name, a number, a UUID." {...fieldOf('userId')} />
            <SendField
              label="Event type"
              hint="What happened, such as page_view."
              {...fieldOf('eventType')}
            />
          </div>
          <SendField
            label="Timestamp"
            hint="ISO 8601; without a zone it is UTC."
            {...fieldOf('timestamp')}
            action={
              <button
                type="button"
                className="button"
                onClick={() => setValues({ ...values, timestamp: new Date().toISOString() })}
              >
                Now
              </button>
            }
          />
          <SendField
            label="Payload"
            hint="A JSON object with whatever else you want to know."
            {...fieldOf('payload')}
            rows={8}
          />
          <div className="buttons">
            <button type="submit" className="button primary" disabled={isSending}>
              <Icon name="send" />
              {isSending ? 'Sending …' : 'Send the event'}
            </button>
          </div>
          <div role="status">{outcome && <Told outcome={outcome} />}</div>
        </form>
        <Panel title="The same from a terminal" note="It changes as you type.">
          <pre className="send-curl" role="region" aria-label="Command" tabIndex={0}>
            {curlOf(values)}
          </pre>
        </Panel>
      </div>
    </Page>
  );
}

function useSend(values: Values) {
  const [outcome, setOutcome] = useState<Outcome>();
  const [isSending, setSending] = useState(false);
  const form = useRef<HTMLFormElement>(null);

  async function send(): Promise<void> {
    setSending(true);
    const result = await post(values);
    setSending(false);
    setOutcome(result);
    if (!('error' in result)) return;
    const wrong = FIELDS.find((field) => errorsOf(result.error.details, field).length > 0);
    if (wrong) form.current?.querySelector<HTMLElement>(`[name="${wrong}"]`)?.focus();
  }
  function onSubmit(event: SubmitEvent): void {
    event.preventDefault();
    void send();
  }
  return { outcome, isSending, form, send: onSubmit };
}

/** What came of it, in a sentence. */
function Told({ outcome }: { outcome: Outcome }) {
  if ('eventId' in outcome)
    return (
      <div className="notice" data-tone="good">
        <Icon name="check" />
        <p>
          <strong>Accepted</strong>: the queue holds it as <code>{outcome.eventId}</code>.{' '}
          <Link href={eventPath(outcome.eventId)}>See it as it is stored</Link>
        </p>
      </div>
    );
  const { title, message, details, retryAfterS, requestId } = outcome.error;
  const others = details.filter(({ field }) => !FIELDS.some((name) => isOf(field, name)));
  return (
    <div className="notice" data-tone="bad">
      <Icon name="warning" />
      <div>
        <p>
          <strong>{title}.</strong> {message}
        </p>
        {retryAfterS !== undefined && (
          <p>
            Try again in {retryAfterS} s, at {formatTimeOfDay(Date.now() + retryAfterS * 1000)}.
          </p>
        )}
        {others.map(({ field, message: text }) => (
          <p key={field}>
            <code>{field}</code> {text}
          </p>
        ))}
        {requestId !== undefined && <p>Request {requestId}</p>}
      </div>
    </div>
  );
}

async function post(values: Values): Promise<Outcome> {
  const fault = faultOf(values.payload);
  if (fault) {
    const problem = { title: 'The payload is not JSON', detail: 'Nothing was sent.', details: [fault] };
    return { error: new ApiError(400, problem) };
  }
  try {
    const request = { method: 'POST', text: bodyOf(values) } as const;
    return await callApi<{ eventId: string }>('/api/v1/activities', request);
  } catch (error) {
    if (error instanceof ApiError) return { error };
    throw error;
  }
}

/** The payload goes as it was typed: parsed and written again, large numbers would be others. */
function bodyOf({ payload, ...texts }: Values): string {
  const given = Object.entries(texts).filter(([, value]) => value !== '');
  const fields = given.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  if (payload.trim() !== '') fields.push(`"payload": ${payload}`);
  return `{\n${fields.map((field) => `  ${field}`).join(',\n')}\n}`;
}

/** For a POSIX shell, in which a quoted text ends at the next quote. */
function curlOf(values: Values): string {
  const body = bodyOf(values).replaceAll("'", "'\\''");
  return `curl ${location.origin}/api/v1/activities \\
  -H 'Content-Type: application/json' \\
  -d '${body}'`;
}

function faultOf(payload: string): FieldError | undefined {
  try {
    if (payload.trim() !== '') JSON.parse(payload);
    return undefined;
  } catch (error) {
    return { field: 'payload', message: `is not JSON: ${(error as Error).message}` };
  }
}

/** Those of a field, and of what is inside it, such as `payload.items[0]`. */
function errorsOf(details: readonly FieldError[], name: string): FieldError[] {
  return details.filter(({ field }) => isOf(field, name));
}

function isOf(field: string, name: string): boolean {
  return field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`);
}
