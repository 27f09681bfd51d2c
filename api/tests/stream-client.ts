import { setTimeout as delay } from 'node:timers/promises';

/** One message of a stream; a comment is none. */
export interface Message {
  id?: string;
  event?: string;
  retry?: string;
  data?: Record<string, unknown>;
}

export interface StreamClient {
  response: Response;
  /** All that came so far. */
  text(): string;
  messages(): Message[];
  /** The ids of the events that came so far, and `gap` where something was left out. */
  ids(): string[];
  /** Resolves once so many events or gaps have come; Jest's own timeout is the bound. */
  received(count: number): Promise<string[]>;
  /** Resolves to whether the stream was ended in order when it is over, from whichever side. */
  ended: Promise<boolean>;
  close(): Promise<void>;
}

/** Reads server-sent events as a browser would, but for coming back. */
export async function readStream(url: string, headers: Record<string, string> = {}): Promise<StreamClient> {
  const controller = new AbortController();
  const response = await fetch(url, { headers, signal: controller.signal });
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    try {
      for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
        text += decoder.decode(bytes, { stream: true });
      }
      return true;
    } catch {
      return false;
    }
  })();
  const messages = () => readMessages(text);
  const ids = () =>
    messages()
      .filter(({ event }) => event !== undefined)
      .map(({ event, data }) => (event === 'gap' ? 'gap' : String(data?.eventId)));
  return {
    ...{ response, text: () => text, messages, ids, ended },
    async received(count) {
      while (ids().length < count) await delay(5);
      return ids();
    },
    async close() {
      controller.abort();
      await ended;
    },
  };
}

/** The complete messages of a text/event-stream. */
export function readMessages(text: string): Message[] {
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks
    .filter((block) => !block.startsWith(':'))
    .map((block) => {
      const fields = Object.fromEntries(
        block.split('\n').map((line) => {
          const [, name = '', value = ''] = /^(\w+): (.*)$/.exec(line) ?? [];
          return [name, name === 'data' ? (JSON.parse(value) as unknown) : value];
        }),
      );
      return fields;
    });
}
